import type { MetricDefinition, Outcome } from '../model/metric.ts';
import { formatStat } from '../model/value.ts';

/** Outcome of a statistic without a value. */
export const noValue = (reason: string): Outcome => ({ ok: false, stage: 'stat', reason });

/** Outcome of a statistic with a value, in the type, scale and unit of the metric. */
export const statOutcome = (metric: MetricDefinition, value: number | bigint | string): Outcome => {
  const { name, type, unit, source } = metric;
  if (source.kind !== 'stat' || type === 'group' || type === 'xml') return noValue('not a statistic of one value');
  const checked = formatStat(type, value, source.scale);
  if (!checked.ok) return noValue(checked.reason);
  return { ok: true, samples: [{ name, type, ...(unit === undefined ? {} : { unit }), value: checked.value }] };
};
