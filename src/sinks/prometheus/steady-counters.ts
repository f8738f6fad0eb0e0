import { domainRunKey, type Snapshot } from '../../model/metric.ts';
import type { Steady } from './statistic-kinds.ts';

/** Last shown counters of one sink. */
export interface Steadied {
  /** Returns the value to show for a counter of a run of a domain, or of the host. */
  readonly value: (run: string, name: string, value: number, how: Steady) => number;
  /** Forgets runs that have ended. */
  readonly forget: (snapshot: Snapshot) => void;
}

interface Counter {
  readonly value: number;
  readonly carried: number;
}

export const HOST = 'host';

// A host counter that falls by more than this, and to less than half, has restarted. In base units (seconds, bytes).
const JITTER_LIMIT = 10;

const held = (before: Counter, value: number): Counter =>
  value < before.value && (before.value - value <= JITTER_LIMIT || value >= before.value / 2)
    ? before
    : { value, carried: 0 };

const carried = (before: Counter, value: number): Counter => ({
  value,
  carried: before.carried + Math.max(0, before.value - value),
});

/** Keeps counters whose sources may fall, so that the shown values fall only at a restart. */
export const steadiedCounters = (): Steadied => {
  const runs = new Map<string, Map<string, Counter>>();
  return {
    value: (run, name, value, how) => {
      const counters = runs.get(run) ?? new Map<string, Counter>();
      runs.set(run, counters);
      const before = counters.get(name) ?? { value, carried: 0 };
      const now = how === 'hold' ? held(before, value) : carried(before, value);
      counters.set(name, now);
      return now.value + now.carried;
    },
    forget: ({ domainMetrics, domains = [] }) => {
      const alive = new Set([
        HOST,
        ...domainMetrics.map(({ domain }) => domainRunKey(domain)),
        ...domains.map(domainRunKey),
      ]);
      for (const run of runs.keys()) if (!alive.has(run)) runs.delete(run);
    },
  };
};
