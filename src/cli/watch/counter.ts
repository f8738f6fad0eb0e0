/** Best-known write time of a document. */
export interface Stamp {
  /** Milliseconds of a monotonic clock. */
  readonly at: number;
  /** True if `at` is exact, false if it is an upper bound. */
  readonly isExact: boolean;
  /** The metric of the host's time, in seconds. */
  readonly time?: number;
}

/** A value that only grows. */
export interface Counter {
  readonly value: number;
  /** Of the document in which it last changed, and of the last collection since, in which it did not. */
  readonly changed: Stamp;
  readonly seen: Stamp;
  /** Growth per second; missing until it is known. */
  readonly rate?: number;
}

/**
 * Seconds from one document to another; missing if that cannot be said. The host's time is in whole seconds and stays
 * as it is when a domain comes or goes between two collections, so the clock is better where it is sure.
 */
export const secondsBetween = (from: Stamp, to: Stamp): number | undefined => {
  const clock = from.isExact && to.isExact ? (to.at - from.at) / 1000 : undefined;
  const host = from.time === undefined || to.time === undefined ? undefined : to.time - from.time;
  const seconds = clock ?? host;
  return seconds !== undefined && seconds > 0 ? seconds : undefined;
};

/**
 * The counter with the value of another document. `collected` says that all that could be had was asked for anew; else
 * values that did not change are old ones, and their rates hold, and one that did had been late: it grew all the time.
 */
export const advance = (counter: Counter | undefined, value: number, stamp: Stamp, collected: boolean): Counter => {
  const fresh: Counter = { value, changed: stamp, seen: stamp };
  if (counter === undefined || value < counter.value) return fresh;
  if (value === counter.value) return collected ? { ...counter, seen: stamp, rate: 0 } : counter;
  const seconds = secondsBetween(collected ? counter.seen : counter.changed, stamp);
  return seconds === undefined ? fresh : { ...fresh, rate: (value - counter.value) / seconds };
};
