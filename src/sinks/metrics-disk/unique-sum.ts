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
/** A reader may be held up over some updates: so many documents in a row have different ends. */
const ENDS = 64;

/** Most bytes that can be needed: up to 31 tabs among spaces give different sums each, 32 * 151 - 496 = 4,336 of them. */
export const PADDING_MOST = 150;

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

/** Remembers the latest sums, and finds the shortest white space that makes a sum differ from all of them. */
export const uniqueSums = () => {
  const ring = Array.from<number | undefined>({ length: REMEMBERED });
  const known = new Set<number>();
  let position = 0;
  let last: Padding | undefined;
  const ends: number[] = [];
  const endOf = (spaces: number, tabs: number): number => spaces * SPACE + tabs * TAB;

  const seen = (sum: number): void => {
    if (known.has(sum)) return;
    const oldest = ring[position];
    if (oldest !== undefined) known.delete(oldest);
    ring[position] = sum;
    known.add(sum);
    position = (position + 1) % REMEMBERED;
  };

  const find = (spaced: number): Padding => {
    const front = ((last?.front ?? FRONT) + 1) % (FRONT + 1);
    const base = spaced - front * (SPACE - TAB);
    for (let length = 0; length <= PADDING_MOST; length += 1) {
      for (let tabs = 0; tabs <= Math.min(length, TABS_MOST); tabs += 1) {
        const spaces = length - tabs;
        const end = endOf(spaces, tabs);
        const sum = (base + end) >>> 0;
        if (!known.has(sum) && !ends.includes(end)) return { front, spaces, tabs, sum };
      }
    }
    throw new Error(`No unused sum within ${PADDING_MOST} bytes of white space`);
  };

  return {
    /** To be called with a sum that a reader may have seen already. */
    seen,
    /** White space for a document whose sum is `base` with spaces in front and none behind; its sum counts as used from now on. */
    next: (base: number): Padding => {
      last = find(base);
      seen(last.sum);
      ends.push(endOf(last.spaces, last.tabs));
      if (ends.length > ENDS) ends.shift();
      return last;
    },
  };
};

export type UniqueSums = ReturnType<typeof uniqueSums>;
