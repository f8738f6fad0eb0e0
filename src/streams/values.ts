import type { MetricDefinition, Problem, Reading, Sample, Stage } from '../metric.ts';

/** A value that is not renewed is kept for less than this many of its periods. */
export const KEPT_PERIODS = 3;

interface Value {
  readonly samples: readonly Sample[];
  readonly failure?: { readonly stage: Stage; readonly reason: string };
  readonly tick: number;
}

/** What a target shows now: immutable, and the same object as before if nothing changed. */
export interface View {
  readonly samples: readonly Sample[];
  /** Without the domain. */
  readonly problems: readonly Problem[];
}

/** The latest values of the host or of one domain. */
export interface Values {
  /** Takes a reading of a tick; one that is older than what is known is dropped. */
  readonly put: (reading: Reading, tick: number) => void;
  readonly view: (tick: number) => View;
}

const sameSamples = (a: readonly Sample[], b: readonly Sample[]): boolean =>
  a.length === b.length &&
  a.every((sample, at) => {
    const other = b[at];
    return (
      sample.value === other?.value &&
      sample.name === other.name &&
      sample.type === other.type &&
      sample.unit === other.unit
    );
  });

const NONE: readonly never[] = [];

/** `metrics` are those of the target's context, in the order of the configuration. */
export const values = (metrics: readonly MetricDefinition[]): Values => {
  const latest = new Map<MetricDefinition, Value>();
  let view: View = { samples: NONE, problems: NONE };
  let changed = false;
  let goodUntil = Infinity;

  const build = (tick: number): View => {
    const samples: Sample[] = [];
    const problems: Problem[] = [];
    goodUntil = Infinity;
    for (const metric of metrics) {
      const value = latest.get(metric);
      if (value === undefined) continue;
      const end = value.tick + KEPT_PERIODS * metric.every;
      if (value.failure !== undefined) problems.push({ metric, ...value.failure });
      else if (tick >= end) problems.push({ metric, stage: 'run', reason: `no new value for ${KEPT_PERIODS} periods` });
      else {
        for (const sample of value.samples) samples.push(sample);
        goodUntil = Math.min(goodUntil, end);
      }
    }
    return { samples, problems };
  };

  return {
    put: ({ metric, outcome }, tick) => {
      const known = latest.get(metric);
      if (known !== undefined && known.tick > tick) return;
      const value: Value = outcome.ok
        ? { samples: outcome.samples, tick }
        : { samples: NONE, failure: { stage: outcome.stage, reason: outcome.reason }, tick };
      latest.set(metric, value);
      changed = true;
    },
    view: (tick) => {
      if (!changed && tick < goodUntil) return view;
      changed = false;
      const next = build(tick);
      const samples = sameSamples(view.samples, next.samples) ? view.samples : next.samples;
      const problems = next.problems.length === 0 && view.problems.length === 0 ? view.problems : next.problems;
      if (samples !== view.samples || problems !== view.problems) view = { samples, problems };
      return view;
    },
  };
};
