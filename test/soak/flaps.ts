import type { Metrics } from '../../src/client/watch-document.ts';

/** A value of a running domain, or of the host, that vanished; `at` is the second. */
export interface Flap {
  readonly metric: string;
  /** Undefined for a value of the host. */
  readonly uuid?: string;
  readonly at: number;
}

/** Compares each document with the one before, and collects the values that vanish. */
export interface Flaps {
  /** `isAlive`: the domain runs and its stop has not begun. */
  readonly look: (metrics: Metrics, at: number, isAlive: (uuid: string) => boolean) => void;
  readonly found: () => readonly Flap[];
  /** Number of documents so far. */
  readonly documents: () => number;
}

export const flaps = (): Flaps => {
  const found: Flap[] = [];
  let before = new Map<string, ReadonlySet<string>>();
  let documents = 0;
  return {
    found: () => found,
    documents: () => documents,
    look: ({ host, vms }, at, isAlive) => {
      documents += 1;
      const names = (metrics: Metrics['host']): ReadonlySet<string> => new Set(metrics.map(({ name }) => name));
      const now = new Map([['', names(host)], ...vms.map(({ uuid, metrics }) => [uuid, names(metrics)] as const)]);
      for (const [uuid, had] of before) {
        if (uuid !== '' && !isAlive(uuid)) continue;
        for (const metric of had) {
          if (now.get(uuid)?.has(metric) === true) continue;
          found.push({ metric, at, ...(uuid === '' ? {} : { uuid }) });
        }
      }
      before = now;
    },
  };
};
