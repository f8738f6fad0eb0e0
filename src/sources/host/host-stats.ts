import { map, type Observable, type SchedulerLike } from 'rxjs';

import type { MetricDefinition, Outcome, Reading } from '../../model/metric.ts';
import { type HostStatistic, STATISTICS } from '../../model/statistics.ts';
import { reasonOf } from '../../model/reason.ts';
import { escapeForLog } from '../../model/value.ts';
import { clockTicks, pageSize } from '../../system/libc.ts';
import { hostFiles } from './proc-files.ts';
import { rates } from './rates.ts';
import { HOST_READERS, type HostView } from './host-readers.ts';
import { factsFor } from './libvirt-facts.ts';
import type { HostFact, HostFacts } from '../libvirt/types.ts';
import { noValue, statOutcome } from '../stat-outcome.ts';

export interface HostStatsOptions {
  /** Asks libvirt; emits undefined if it has never been reached. */
  readonly facts$: (wanted: readonly HostFact[]) => Observable<HostFacts | undefined>;
  /** Monotonic clock, for the rates. */
  readonly scheduler: SchedulerLike;
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number;
  /** Folder of proc/, sys/ and etc/ in tests. */
  readonly root?: string;
  /** Constants of this machine. */
  readonly machine?: Pick<HostView, 'pageSize' | 'clockTicks'>;
}

/**
 * Collects the host's statistics: each subscription reads the files that the metrics need once, emits one batch and
 * completes. Never errors. A rate counts from the previous batch with that metric, the first one from boot.
 */
export const hostStats = (
  options: HostStatsOptions,
): ((metrics: readonly MetricDefinition[]) => Observable<readonly Reading[]>) => {
  const { facts$, scheduler, wallClock = Date.now, root = '', machine = { pageSize, clockTicks } } = options;
  const rateOf = rates();

  return (metrics) =>
    facts$(factsFor(metrics)).pipe(
      map((libvirt) => {
        const files = hostFiles(root);
        const at = scheduler.now();
        const sinceBoot = (): number => Number.parseFloat(files.text('/proc/uptime')) * 1000;
        return metrics.map((metric) => {
          const viewOf = ({ name, via }: HostStatistic): HostView => {
            const rate = (count: number): number => rateOf(`${metric.index} ${name}`, count, at, sinceBoot);
            return { files, via, libvirt, wallClock, ...machine, rate };
          };
          return { metric, outcome: readStat(metric, viewOf) };
        });
      }),
    );
};

const HOST_STATISTICS: ReadonlyMap<string, HostStatistic> = new Map(
  STATISTICS.host.map((statistic) => [statistic.name, statistic]),
);

const readStat = (metric: MetricDefinition, viewOf: (known: HostStatistic) => HostView): Outcome => {
  const stat = metric.source.kind === 'stat' ? metric.source.stat : '';
  const known = HOST_STATISTICS.get(stat);
  if (known === undefined) return noValue(`the host has no statistic ${escapeForLog(stat, 64)}`);
  try {
    return statOutcome(metric, HOST_READERS[known.name](viewOf(known)));
  } catch (error) {
    return noValue(reasonOf(error));
  }
};
