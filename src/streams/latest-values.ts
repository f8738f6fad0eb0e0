import type { LateValue, MetricDefinition, MissingValue, Reading, Sample, Stage } from '../model/metric.ts';

/** Periods after which a value without a new one is late, or is removed if its source is gone. */
export const KEPT_PERIODS = 3;

interface Value {
  readonly samples: readonly Sample[];
  readonly failure?: { readonly stage: Stage; readonly reason: string };
  readonly tick: number;
}

/** Current values of the host or of one domain. Immutable; the same object as before if nothing changed. */
export interface View {
  readonly samples: readonly Sample[];
  /** Without the domain. */
  readonly missing: readonly MissingValue[];
  /** Without the domain. */
  readonly late: readonly LateValue[];
}

/** The latest values of the host or of one domain. */
export interface Values {
  /** Adds a reading of a tick; drops one that is older than the known value. */
  readonly put: (reading: Reading, tick: number) => void;
  /** `keepsLate`: keep late values, because their source is available. */
  readonly view: (tick: number, keepsLate: boolean) => View;
  /** True if each metric has had an outcome. */
  readonly isComplete: () => boolean;
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
const EMPTY: View = { samples: NONE, missing: NONE, late: NONE };

/** Makes an empty store. `metrics`: those of its context, in the order of the configuration. */
export const values = (metrics: readonly MetricDefinition[]): Values => {
  const latest = new Map<MetricDefinition, Value>();
  // The last view, valid until tick `until`, a new value, or another `keepsLate`.
  const shown = { view: EMPTY, keepsLate: true, until: Infinity };

  const build = (tick: number, keepsLate: boolean): View & { readonly until: number } => {
    const samples: Sample[] = [];
    const missing: MissingValue[] = [];
    const late: LateValue[] = [];
    const ends: number[] = [];
    for (const metric of metrics) {
      const value = latest.get(metric);
      if (value === undefined) continue;
      const end = value.tick + KEPT_PERIODS * metric.every;
      if (value.failure !== undefined) missing.push({ metric, ...value.failure });
      else if (tick >= end && !keepsLate)
        missing.push({ metric, stage: 'run', reason: `no new value for ${KEPT_PERIODS} periods` });
      else {
        for (const sample of value.samples) samples.push(sample);
        if (tick >= end) late.push({ metric, tick: value.tick });
        else ends.push(end);
      }
    }
    return { samples, missing, late, until: Math.min(...ends) };
  };

  return {
    isComplete: () => metrics.every((metric) => latest.has(metric)),
    put: ({ metric, outcome }, tick) => {
      const known = latest.get(metric);
      if (known !== undefined && known.tick > tick) return;
      const value: Value = outcome.ok
        ? { samples: outcome.samples, tick }
        : { samples: NONE, failure: { stage: outcome.stage, reason: outcome.reason }, tick };
      latest.set(metric, value);
      shown.until = -Infinity;
    },
    view: (tick, keepsLate) => {
      if (keepsLate === shown.keepsLate && tick < shown.until) return shown.view;
      const { view } = shown;
      const next = build(tick, keepsLate);
      const samples = sameSamples(view.samples, next.samples) ? view.samples : next.samples;
      const missing = next.missing.length === 0 && view.missing.length === 0 ? view.missing : next.missing;
      const late = next.late.length === 0 && view.late.length === 0 ? view.late : next.late;
      const isSame = samples === view.samples && missing === view.missing && late === view.late;
      shown.view = isSame ? view : { samples, missing, late };
      shown.keepsLate = keepsLate;
      shown.until = next.until;
      return shown.view;
    },
  };
};
