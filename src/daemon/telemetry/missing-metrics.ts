import type { Context, MissingValue, Snapshot } from '../../model/metric.ts';

/** A metric without a value for the host, or for `count` VMs. */
export interface MissingMetric {
  readonly metric: string;
  readonly context: Context;
  readonly count: number;
  /** Reason for the first of them. */
  readonly reason: string;
  /** Names of the first VMs: hostile text. */
  readonly domains: readonly string[];
}

const NAMED = 3;

/** Groups missing values by metric, in their order. */
export const missingMetrics = (missing: readonly MissingValue[]): readonly MissingMetric[] => {
  const groups = new Map<string, { readonly first: MissingValue; count: number; readonly domains: string[] }>();
  for (const problem of missing) {
    const { metric, domain } = problem;
    const key = `${metric.context} ${metric.name}`;
    const group = groups.get(key) ?? { first: problem, count: 0, domains: [] };
    groups.set(key, group);
    group.count += 1;
    if (domain !== undefined && group.domains.length < NAMED) group.domains.push(domain.name);
  }
  return [...groups.values()].map(({ first: { metric, reason }, count, domains }) => ({
    metric: metric.name,
    context: metric.context,
    count,
    reason,
    domains,
  }));
};

/** A metric that keeps its last value because there is no new one, for the host or for `count` VMs. */
export interface OldValue extends Omit<MissingMetric, 'reason'> {
  /** Seconds since the tick of the oldest one. */
  readonly ageSeconds: number;
}

/** Groups late values by metric, in their order. `period`: milliseconds between ticks. */
export const oldValues = ({ late = [], tick }: Snapshot, period: number): readonly OldValue[] => {
  const groups = missingMetrics(late.map((value) => ({ ...value, stage: 'run', reason: '' })));
  return groups.map(({ metric, context, count, domains }) => {
    const ticks = late.filter(({ metric: of }) => of.name === metric && of.context === context).map((one) => one.tick);
    return { metric, context, count, domains, ageSeconds: ((tick - Math.min(...ticks)) * period) / 1000 };
  });
};
