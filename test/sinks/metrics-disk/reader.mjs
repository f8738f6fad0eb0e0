// A guest that reads a metrics disk without a pause, by the rules of one of the known readers. Runs in a worker.
import { openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { path, size, reads, rules } = workerData;
const fd = openSync(path, 'r');
const disk = Buffer.alloc(size);
const after = Buffer.alloc(16);
const counts = { accepted: 0, refused: 0, torn: 0, documents: 0 };
let latest = '';

const sumOf = (bytes, start, end) => {
  let sum = 0;
  for (let at = start; at < end; at += 1) sum = (sum + bytes[at]) | 0;
  return sum >>> 0;
};

/** libmetrics: whole chunks, not busy, and the same sum and not busy afterwards; the sum is not verified. */
const libmetrics = () => {
  for (let at = 0; at < size; at += 65536) readSync(fd, disk, at, 65536, at);
  if (disk.readUInt32BE(4) !== 0) return undefined;
  readSync(fd, after, 0, 16, 0);
  if (after.readUInt32BE(4) !== 0 || after.readUInt32BE(8) !== disk.readUInt32BE(8)) return undefined;
  return disk.toString('latin1', 16, 16 + disk.readUInt32BE(12));
};

/** KubeVirt: not busy, the sum is verified, and the length is checked. */
const kubevirt = () => {
  readSync(fd, disk, 0, size, 0);
  const length = disk.readUInt32BE(12);
  if (disk.readUInt32BE(4) !== 0 || length > size - 24) return undefined;
  if (sumOf(disk, 16, 16 + length) !== disk.readUInt32BE(8)) return undefined;
  return disk.toString('latin1', 16, 16 + length);
};

const read = rules === 'libmetrics' ? libmetrics : kubevirt;
/** All values of a document are the same; a torn one mixes them. */
const whole = (xml) => {
  const values = [...xml.matchAll(/<value>(.*?)<\/value>/g)].map(([, value]) => value);
  return xml.startsWith('<metrics>') && xml.endsWith('</metrics>\n') && new Set(values).size === 1;
};

while (counts.accepted < reads || counts.documents < 200) {
  const xml = read();
  if (xml === undefined) {
    counts.refused += 1;
    continue;
  }
  counts.accepted += 1;
  if (xml === latest) continue;
  latest = xml;
  counts.documents += 1;
  if (!whole(xml)) counts.torn += 1;
}
parentPort.postMessage(counts);
