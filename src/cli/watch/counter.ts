/** Best-known write time of a document. */
export interface Stamp {
  /** Milliseconds of a monotonic clock. */
  readonly at: number;
  /** True if `at` is exact, false if it is an upper bound. */
  readonly isExact: boolean;
  /** Value of the metric for the host's time, in seconds. */
  readonly time?: number;
}

/** A value that only grows. */
export interface Counter {
  readonly value: number;
  /** Document of the last change. */
  readonly changed: Stamp;
  /** Last collection since that had the same value. */
  readonly seen: Stamp;
  /** Growth per second; absent until it is known. */
  readonly rate?: number;
}

/**
 * Returns the seconds between two documents, or undefined if they are unknown. Prefers exact write times, because the
 * host's time has whole seconds and stays unchanged when a domain comes or goes between two collections.
 */
export const secondsBetween = (from: Stamp, to: Stamp): number | undefined => {
  const clock = from.isExact && to.isExact ? (to.at - from.at) / 1000 : undefined;
  const host = from.time === undefined || to.time === undefined ? undefined : to.time - from.time;
  const seconds = clock ?? host;
  return seconds !== undefined && seconds > 0 ? seconds : undefined;
};

/**
 * Updates a counter with the value of a new document. `collected`: the document is a whole collection. In any other
 * document an unchanged value is an old one and keeps its rate; a changed one was late and grew since its last change.
 */
export const advance = (counter: Counter | undefined, value: number, stamp: Stamp, collected: boolean): Counter => {
  const fresh: Counter = { value, changed: stamp, seen: stamp };
  if (counter === undefined || value < counter.value) return fresh;
  if (value === counter.value) return collected ? { ...counter, seen: stamp, rate: 0 } : counter;
  const seconds = secondsBetween(collected ? counter.seen : counter.changed, stamp);
  return seconds === undefined ? fresh : { ...fresh, rate: (value - counter.value) / seconds };
};
