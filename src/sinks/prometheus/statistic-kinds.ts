import type { Context } from '../../model/metric.ts';
import { findStat, type Statistic } from '../../model/statistics.ts';

/** Kind of a statistic for Prometheus. A counter falls only when it restarts. */
export interface StatisticKind extends Partial<Pick<Statistic, 'unit'>> {
  readonly type: Statistic['kind'];
  readonly steady?: Steady;
}

/**
 * Ways to keep a counter from falling: `hold` shows the greatest value until it is exceeded, `carry` adds the share of
 * detached devices to a sum.
 */
export type Steady = 'hold' | 'carry';

// libvirt numbers devices by position, so a number means another device after one before it is detached.
const POSITION = /^(net|block)\.\d+\./;

/** Returns the kind of a statistic by its name in `<stat>`. */
export const statisticKind = (context: Context, name: string): StatisticKind => {
  const { kind, unit } = findStat(context, name) ?? { kind: 'untyped', unit: '' };
  const known = { type: kind, ...(unit === '' ? {} : { unit }) };
  if (kind !== 'counter') return known;
  // iowait may fall (proc(5)), and so may others in /proc/stat and /proc/vmstat when processors come and go.
  if (context === 'host') return { ...known, steady: 'hold' };
  if (name.includes('*')) return { ...known, steady: 'carry' };
  return POSITION.test(name) ? { ...known, type: 'gauge' } : known;
};
