/** Count and total duration of events, in seconds. */
export interface Durations {
  readonly count: number;
  readonly sum: number;
}

/** Upper bounds of the buckets of a histogram, in seconds, without the last one, which is unbounded. */
export const BUCKETS: readonly number[] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/** Durations by length. `counts` has one number for each of `BUCKETS`, and one for longer ones. */
export interface Histogram extends Durations {
  readonly counts: readonly number[];
}

export const EMPTY_HISTOGRAM: Histogram = { counts: [...BUCKETS.map(() => 0), 0], sum: 0, count: 0 };

/** Adds one duration in milliseconds. */
export const withDuration = ({ counts, sum, count }: Histogram, ms: number): Histogram => {
  const seconds = ms / 1000;
  const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
  const at = bucket === -1 ? BUCKETS.length : bucket;
  return { counts: counts.with(at, (counts[at] ?? 0) + 1), sum: sum + seconds, count: count + 1 };
};
