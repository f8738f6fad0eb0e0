/** When a document was written, as well as that is known. */
export interface Stamp {
  /** Milliseconds of a monotonic clock. */
  readonly at: number;
  /** Whether it is that, and not only that it was then at the latest. */
  readonly sure: boolean;
  /** The metric of the host's time, in seconds. */
  readonly time?: number;
}

/** A value that only grows. */
export interface Counter {
  readonly value: number;
  /** Of the document in which it last changed. */
  readonly stamp: Stamp;
  /** Growth per second; missing until it is known. */
  readonly rate?: number;
}

/**
 * Seconds from one document to another; missing if that cannot be said. The host's time is in whole seconds and stays
 * as it is when a domain comes or goes between two collections, so the clock is better where it is sure.
 */
export const secondsBetween = (from: Stamp, to: Stamp): number | undefined => {
  const clock = from.sure && to.sure ? (to.at - from.at) / 1000 : undefined;
  const host = from.time === undefined || to.time === undefined ? undefined : to.time - from.time;
  const seconds = clock ?? host;
  return seconds !== undefined && seconds > 0 ? seconds : undefined;
};

/**
 * The counter with the value of another document. `collected` says that all values of that one are new; else those that
 * did not change are old ones, and their rates hold. `patience` is for how many milliseconds a value may stand
 * still and yet have grown all the time: a domain that answers late keeps its last values.
 */
export const advance = (
  counter: Counter | undefined,
  value: number,
  stamp: Stamp,
  { collected, patience }: { readonly collected: boolean; readonly patience: number },
): Counter => {
  if (counter === undefined || value < counter.value) return { value, stamp };
  if (value === counter.value) {
    if (!collected) return counter;
    return { value, stamp: stamp.at - counter.stamp.at > patience ? stamp : counter.stamp, rate: 0 };
  }
  const seconds = secondsBetween(counter.stamp, stamp);
  return seconds === undefined ? { value, stamp } : { value, stamp, rate: (value - counter.value) / seconds };
};
