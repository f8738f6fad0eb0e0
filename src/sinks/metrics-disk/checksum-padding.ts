/**
 * Number of latest checksums from which the next one differs. For readers a document is new if its checksum is new, and
 * whole if its checksum did not change or is right. But the checksum is a plain sum of bytes: `1234` and `4321` have
 * the same, and so does a mixture of two such documents. So white space makes each checksum unique: after the last
 * metric as much as needed, and after `<metrics>` a fixed length, so that nothing moves. Both differ between
 * consecutive documents, so that no mixture of the start of one and the end of another has the checksum of either.
 */
const REMEMBERED_SUMS = 4096;
const SPACE = 0x20;
const TAB = 0x09;
const TABS_MOST = 31;
/**
 * Number of consecutive documents with different ends: a reader may be delayed over many updates, if it gets no
 * processor for ten milliseconds while the writer does not pause.
 */
const REMEMBERED_ENDS = 1024;

/** Most bytes of white space at the end: with 0 to 31 tabs it has 32 * 181 - 496 = 5,296 different sums. */
export const PADDING_MOST = 180;

/** Length of the white space after `<metrics>`. */
export const FRONT = 3;

/** White space, and the checksum of the document with it. */
export interface Padding {
  /** Number of tabs after `<metrics>`; the other characters are spaces. */
  readonly front: number;
  /** Number of spaces after the last metric, before the tabs. */
  readonly spaces: number;
  readonly tabs: number;
  readonly sum: number;
}

/** All candidates for the white space after the last metric, shortest first. */
const CANDIDATES = Array.from({ length: PADDING_MOST + 1 }, (_, length) =>
  Array.from({ length: Math.min(length, TABS_MOST) + 1 }, (_, tabs) => ({ spaces: length - tabs, tabs })),
).flat();
const endOf = ({ spaces, tabs }: { readonly spaces: number; readonly tabs: number }): number =>
  spaces * SPACE + tabs * TAB;
const CANDIDATE_ENDS = Uint16Array.from(CANDIDATES, endOf);
const takenOffsets = new Uint8Array(PADDING_MOST * SPACE + 1);

/** Keeps the latest numbers, at most `most`, unordered. Grows on demand, because there may be thousands of disks. */
const ring = (most: number) => {
  let numbers = new Int32Array(16);
  let count = 0;
  let position = 0;
  return {
    add: (number: number): void => {
      if (count === numbers.length && count < most) {
        const grown = new Int32Array(Math.min(2 * count, most));
        grown.set(numbers);
        numbers = grown;
      }
      numbers[position] = number;
      count = Math.max(count, position + 1);
      position = (position + 1) % most;
    },
    has: (number: number): boolean => numbers.subarray(0, count).includes(number | 0),
    /** Marks the offsets of the numbers from `base` within `marks`. Arithmetic is modulo 2^32; signed is faster. */
    mark: (marks: Uint8Array, base: number): void => {
      const { length } = marks;
      for (let index = 0; index < count; index += 1) {
        const offset = ((numbers[index] ?? 0) - base) | 0;
        if (offset >= 0 && offset < length) marks[offset] = 1;
      }
    },
  };
};

const firstFree = (): number => {
  let index = 0;
  while (index < CANDIDATE_ENDS.length && takenOffsets[CANDIDATE_ENDS[index] ?? 0] === 1) index += 1;
  return index;
};

/** Keeps the latest checksums, and finds the shortest white space with which the next one differs from all of them. */
export const uniqueSums = () => {
  const known = ring(REMEMBERED_SUMS);
  const ends = ring(REMEMBERED_ENDS);
  let front = FRONT;

  const find = (base: number): Padding => {
    // One pass over the known checksums, then one over the candidates, most of which are taken if little has changed.
    takenOffsets.fill(0);
    known.mark(takenOffsets, base | 0);
    ends.mark(takenOffsets, 0);
    const candidate = CANDIDATES[firstFree()];
    if (candidate === undefined) throw new Error(`No unused checksum within ${PADDING_MOST} bytes of white space`);
    const end = endOf(candidate);
    const sum = (base + end) >>> 0;
    known.add(sum);
    ends.add(end);
    return { front, ...candidate, sum };
  };

  return {
    /** Adds a checksum that a reader may have seen already. */
    seen: (sum: number): void => {
      if (!known.has(sum)) known.add(sum);
    },
    /** Returns the white space of a document whose checksum is `spaced` with only the front spaces, and records it. */
    next: (spaced: number): Padding => {
      front = (front + 1) % (FRONT + 1);
      return find(spaced - front * (SPACE - TAB));
    },
  };
};

export type UniqueSums = ReturnType<typeof uniqueSums>;
