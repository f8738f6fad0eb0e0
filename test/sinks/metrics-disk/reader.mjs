// A guest that reads a metrics disk without a pause, by the rules of one of the known readers, and sends its counts.
// Arguments: path; size; `libmetrics` or `kubevirt`; the number of accepted reads, and the number at which it ends even
// if none was torn; the least number of documents; the number of updates over which documents differ; the number of
// equal values in a group.
import { existsSync, openSync, readSync } from 'node:fs';

const [path, sizeText, rules, ...numbers] = process.argv.slice(2);
const [size, [reads, most, atLeast, distance, values]] = [Number(sizeText), numbers.map(Number)];
const fd = openSync(path, 'r');
const counter = existsSync(`${path}.updates`) ? openSync(`${path}.updates`, 'r') : undefined;
const disk = Buffer.from(new ArrayBuffer(size));
const after = Buffer.alloc(16);
const counts = { accepted: 0, refused: 0, torn: 0, heldUp: 0, documents: 0, longest: 0 };

// Sums four bytes at a time, in two halves of two 16-bit lanes each; 128 words cannot overflow them.
const words = new Uint32Array(disk.buffer, disk.byteOffset, size / 4);
const sumOf = (start, end) => {
  let sum = 0;
  const last = end >> 2;
  for (let at = start >> 2; at < last;) {
    let lanes = 0;
    for (const stop = Math.min(at + 128, last); at < stop; at += 1) {
      const word = words[at];
      lanes += (word & 0xff00ff) + ((word >>> 8) & 0xff00ff);
    }
    sum += (lanes & 0xffff) + (lanes >>> 16);
  }
  for (let at = last << 2; at < end; at += 1) sum += disk[at];
  return sum >>> 0;
};

/**
 * libmetrics: reads whole chunks, and accepts them if not busy and if the sum is the same afterwards; does not verify
 * the sum.
 */
const libmetrics = () => {
  for (let at = 0; at < size; at += 65536) readSync(fd, disk, at, 65536, at);
  if (disk.readUInt32BE(4) !== 0) return undefined;
  readSync(fd, after, 0, 16, 0);
  if (after.readUInt32BE(4) !== 0 || after.readUInt32BE(8) !== disk.readUInt32BE(8)) return undefined;
  return 16 + disk.readUInt32BE(12);
};

/** KubeVirt: accepts the document if not busy, and verifies sum and length. */
const kubevirt = () => {
  readSync(fd, disk, 0, size, 0);
  const length = disk.readUInt32BE(12);
  if (disk.readUInt32BE(4) !== 0 || length > size - 24) return undefined;
  if (sumOf(16, 16 + length) !== disk.readUInt32BE(8)) return undefined;
  return 16 + length;
};

const read = rules === 'libmetrics' ? libmetrics : kubevirt;

/** Positions of the values, which are equal in all documents: only the white space after the last metric varies. */
let places = [];
const findPlaces = (end) =>
  [...disk.toString('latin1', 0, end).matchAll(/<value>(?=\d{8}<)/g)].map(({ index }) => index + 7);

/** Returns true if all values are equal, as in each document of the writer; a torn one mixes values or ends. */
const wholeOfWriter = (end) => {
  if (places.length === 0) places = findPlaces(end);
  const [high, low] = [disk.readInt32BE(places[0]), disk.readInt32BE(places[0] + 4)];
  for (const place of places) if (disk.readInt32BE(place) !== high || disk.readInt32BE(place + 4) !== low) return false;
  const tail = disk.toString('latin1', places.at(-1) + 8, end);
  return (
    /^<\/value>\n {2}<\/metric>[ \t]*\n<\/metrics>\n$/.test(tail) && disk.toString('latin1', 16, 25) === '<metrics>'
  );
};

let good = Buffer.alloc(0);
/** Returns true if each group of the daemon's document has equal values, and if the sum is right. */
const wholeOfDaemon = (end) => {
  const content = disk.subarray(16, end);
  if (content.equals(good)) return true;
  const text = content.toString('latin1');
  const groups = text.split('<name>V0</name>').slice(1);
  const same = groups.every((group) => {
    const found = [...group.matchAll(/<value>(\d{8})<\/value>/g)].map(([, value]) => value);
    return found.length === values && new Set(found).size === 1;
  });
  const whole = same && sumOf(16, end) === disk.readUInt32BE(8) && /^<metrics>[^]*<\/metrics>\n$/.test(text);
  if (whole) good = Buffer.from(content);
  return whole;
};
const whole = counter === undefined ? wholeOfDaemon : wholeOfWriter;

const update = () => {
  if (counter === undefined) return 0;
  readSync(counter, after, 0, 4, 0);
  return after.readUInt32LE(0);
};

let latest = -1;
let since = performance.now();
const done = () =>
  counts.accepted >= reads && counts.documents >= atLeast && (counts.torn > 0 || counts.accepted >= most);
while (!done()) {
  const before = update();
  const end = read();
  if (end === undefined) {
    counts.refused += 1;
    continue;
  }
  const now = performance.now();
  counts.longest = Math.max(counts.longest, now - since);
  since = now;
  counts.accepted += 1;
  if (!whole(end)) {
    // A reader that pauses for that many updates may find a document like the first again.
    if (update() - before < distance) counts.torn += 1;
    else counts.heldUp += 1;
  }
  const sum = disk.readUInt32BE(8);
  if (sum !== latest) counts.documents += 1;
  latest = sum;
}
process.send(counts);
