/**
 * Readers take a document for new only if its sum is new, and for whole if its sum did not change or is right. But the
 * sum is additive: `1234` and `4321` have the same, and so has a mixture of two documents with such values. So harmless
 * white space makes each sum differ from all of the latest ones: behind the last metric as much as is needed, and behind
 * `<metrics>` a fixed length, so that nothing moves. Both differ from those of the documents before: so neither the
 * start of one with the end of the next, nor the other way round, makes up the sum of either.
 */
const REMEMBERED = 4096;
const SPACE = 0x20;
const TAB = 0x09;
const TABS_MOST = 31;
/**
 * A reader may be held up over many updates, where it has no processor for some ten milliseconds and the writer does not
 * pause: so many documents in a row have different ends.
 */
const ENDS = 1024;

/** Most bytes that can be needed: up to 31 tabs among spaces give different sums each, 32 * 181 - 496 = 5,296 of them. */
export const PADDING_MOST = 180;

/** Length of the white space behind `<metrics>`. */
export const FRONT = 3;

/** White space, and the sum that a document has with it. */
export interface Padding {
  /** How many of the characters behind `<metrics>` are tabs; the others are spaces. */
  readonly front: number;
  /** Behind the last metric: spaces, then tabs. */
  readonly spaces: number;
  readonly tabs: number;
  readonly sum: number;
}

/** All white space that may stand behind the last metric, in the order in which it is tried: the shortest first. */
const CANDIDATES = Array.from({ length: PADDING_MOST + 1 }, (_, length) =>
  Array.from({ length: Math.min(length, TABS_MOST) + 1 }, (_, tabs) => ({ spaces: length - tabs, tabs })),
).flat();
const endOf = ({ spaces, tabs }: { readonly spaces: number; readonly tabs: number }): number =>
  spaces * SPACE + tabs * TAB;
const CANDIDATE_ENDS = Uint16Array.from(CANDIDATES, endOf);
const takenOffsets = new Uint8Array(PADDING_MOST * SPACE + 1);

/** The latest numbers, at most `most`, in no order. Memory grows with them: there may be thousands of disks. */
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
    /** Marks where the numbers lie behind `base`, as far as `marks` reaches. All is modulo 2^32: signed is faster. */
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

/** Remembers the latest sums, and finds the shortest white space that makes a sum differ from all of them. */
export const uniqueSums = () => {
  const known = ring(REMEMBERED);
  const ends = ring(ENDS);
  let front = FRONT;

  const find = (base: number): Padding => {
    // One pass over what is known, then one over the candidates, most of which are taken where a sum changes little.
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
    /** To be called with a sum that a reader may have seen already. */
    seen: (sum: number): void => {
      if (!known.has(sum)) known.add(sum);
    },
    /** White space for a document whose sum is `spaced` with spaces in front and none behind; its sum counts as used from now on. */
    next: (spaced: number): Padding => {
      front = (front + 1) % (FRONT + 1);
      return find(spaced - front * (SPACE - TAB));
    },
  };
};

export type UniqueSums = ReturnType<typeof uniqueSums>;
