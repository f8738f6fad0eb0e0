/**
 * Readers take a document for new only if its sum is new, and for whole only if the sum did not change meanwhile; but
 * `1234` and `4321` have the same sum. So harmless white space is added until the sum is none of the latest ones.
 */
const REMEMBERED = 4096;
const SPACE = 0x20;
const TAB = 0x09;
const TABS_MOST = 31;

/**
 * Most bytes of white space that can be needed: up to 31 tabs (9) among spaces (32) give different sums each, so that
 * a length of up to 144 offers 32 * 145 - 496 = 4,144 of them.
 */
export const PADDING_MOST = 144;

/** White space and the sum that a content has with it. */
export interface Padding {
  readonly spaces: number;
  readonly tabs: number;
  readonly sum: number;
}

/** Remembers the latest sums, and finds the shortest white space that makes a sum differ from all of them. */
export const uniqueSums = () => {
  const ring = new Array<number | undefined>(REMEMBERED).fill(undefined);
  const known = new Set<number>();
  let next = 0;
  return {
    /** To be called with every sum that a reader may have seen. */
    add: (sum: number): void => {
      if (known.has(sum)) return;
      const oldest = ring[next];
      if (oldest !== undefined) known.delete(oldest);
      ring[next] = sum;
      known.add(sum);
      next = (next + 1) % REMEMBERED;
    },
    padding: (base: number): Padding => {
      for (let length = 0; length <= PADDING_MOST; length += 1) {
        for (let tabs = 0; tabs <= Math.min(length, TABS_MOST); tabs += 1) {
          const spaces = length - tabs;
          const sum = (base + spaces * SPACE + tabs * TAB) >>> 0;
          if (!known.has(sum)) return { spaces, tabs, sum };
        }
      }
      throw new Error(`No unused sum within ${PADDING_MOST} bytes of white space`);
    },
  };
};

export type UniqueSums = ReturnType<typeof uniqueSums>;
