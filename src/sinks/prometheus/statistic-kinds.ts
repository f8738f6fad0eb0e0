import type { Context } from '../../model/metric.ts';
import { findStat, type Statistic } from '../../model/statistics.ts';

/** What Prometheus gets of a statistic; a counter never falls but when it starts anew. */
export interface StatisticKind extends Partial<Pick<Statistic, 'unit'>> {
  readonly type: Statistic['kind'];
  readonly steady?: Steady;
}

/**
 * How a counter is kept from falling: `hold` shows the greatest value until it is passed again, `carry` adds what a
 * sum had of devices that are detached.
 */
export type Steady = 'hold' | 'carry';

// libvirt numbers these by their position, so a number is another device when one before it is detached.
const POSITION = /^(net|block)\.\d+\./;

/** What is known of a statistic by its name, as `<stat>` takes it. */
export const statisticKind = (context: Context, name: string): StatisticKind => {
  const { kind, unit } = findStat(context, name) ?? { kind: 'untyped', unit: '' };
  const known = { type: kind, ...(unit === '' ? {} : { unit }) };
  if (kind !== 'counter') return known;
  // proc(5): iowait may fall, and so may others of /proc/stat and /proc/vmstat where processors come and go.
  if (context === 'host') return { ...known, steady: 'hold' };
  if (name.includes('*')) return { ...known, steady: 'carry' };
  return POSITION.test(name) ? { ...known, type: 'gauge' } : known;
};
