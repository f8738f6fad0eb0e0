import type { Context, MetricDefinition, Outcome, Stage } from '../../model/metric.ts';

/** Number of collections of one metric by outcome; failures by stage. */
export interface OutcomeView {
  readonly metric: string;
  readonly context: Context;
  readonly counts: Readonly<Record<'ok' | Stage, number>>;
}

type Counts = Record<'ok' | Stage, number>;

/** Counts outcomes by metric. */
export interface Outcomes {
  readonly add: (metric: MetricDefinition, outcome: Outcome) => void;
  /** Forgets all metrics but these. */
  readonly keep: (metrics: readonly MetricDefinition[]) => void;
  readonly view: () => readonly OutcomeView[];
}

const keyOf = ({ context, name }: MetricDefinition): string => `${context} ${name}`;

export const outcomes = (): Outcomes => {
  const byKey = new Map<string, OutcomeView & { readonly counts: Counts }>();
  // By identity: this runs for each value of each VM, and building a key would cost more than counting.
  const known = new WeakMap<MetricDefinition, Counts>();
  const countsOf = (metric: MetricDefinition): Counts => {
    const found = byKey.get(keyOf(metric));
    const counts = found?.counts ?? { ok: 0, start: 0, run: 0, output: 0, stat: 0 };
    if (found === undefined) byKey.set(keyOf(metric), { metric: metric.name, context: metric.context, counts });
    known.set(metric, counts);
    return counts;
  };
  return {
    add: (metric, outcome) => {
      const counts = known.get(metric) ?? countsOf(metric);
      counts[outcome.ok ? 'ok' : outcome.stage] += 1;
    },
    keep: (metrics) => {
      const kept = new Set(metrics.map(keyOf));
      for (const key of byKey.keys()) if (!kept.has(key)) byKey.delete(key);
    },
    view: () => [...byKey.values()].map(({ counts, ...more }) => ({ ...more, counts: { ...counts } })),
  };
};
