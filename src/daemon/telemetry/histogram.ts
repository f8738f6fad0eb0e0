/** How often something happened and how long it took in all, in seconds. */
export interface Durations {
  readonly count: number;
  readonly sum: number;
}

/** Upper bounds of the buckets of a histogram, in seconds; the last, without a bound, is not written here. */
export const BUCKETS: readonly number[] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/** Durations by their length: `counts` has one number for each of `BUCKETS` and one for what is longer. */
export interface Histogram extends Durations {
  readonly counts: readonly number[];
}

/** Counts durations; it takes milliseconds. */
export const histogram = (): { readonly add: (ms: number) => void; readonly view: () => Histogram } => {
  const counts = Array.from({ length: BUCKETS.length + 1 }, () => 0);
  let sum = 0;
  let count = 0;
  return {
    add: (ms) => {
      const seconds = ms / 1000;
      const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
      const at = bucket === -1 ? BUCKETS.length : bucket;
      counts[at] = (counts[at] ?? 0) + 1;
      sum += seconds;
      count += 1;
    },
    view: () => ({ counts: [...counts], sum, count }),
  };
};
