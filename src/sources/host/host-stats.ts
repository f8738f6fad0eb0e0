import { combineLatest, map, type Observable, of, type SchedulerLike, take } from 'rxjs';

import type { Domain, MetricDefinition, Outcome, Reading } from '../../model/metric.ts';
import { failure, type Result } from '../../model/result.ts';
import { type HostStatistic, isOvercommit, STATISTICS } from '../../model/statistics.ts';
import { reasonOf } from '../../model/reason.ts';
import { escapeForLog } from '../../model/value.ts';
import { clockTicks, pageSize } from '../../system/libc.ts';
import { hostFiles } from './proc-files.ts';
import { rates } from './rates.ts';
import { HOST_READERS, type HostView } from './host-readers.ts';
import { factsFor } from './libvirt-facts.ts';
import type { HostFact, HostFacts } from '../libvirt/types.ts';
import type { Load } from '../promise/load.ts';
import type { Sources } from '../source.ts';
import { noValue, statOutcome } from '../stat-outcome.ts';

export interface HostStatsOptions {
  /** Asks libvirt; emits undefined if it has never been reached. */
  readonly facts$: (wanted: readonly HostFact[]) => Observable<HostFacts | undefined>;
  /** Emits once what these domains are entitled to together. */
  readonly load$: (running: readonly Domain[]) => Observable<Result<Load>>;
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
export const hostStats = (options: HostStatsOptions): Sources['hostStats$'] => {
  const { facts$, load$, scheduler, wallClock = Date.now, root = '', machine = { pageSize, clockTicks } } = options;
  const rateOf = rates();
  const loadFor$ = (metrics: readonly MetricDefinition[], running?: readonly Domain[]): Observable<Result<Load>> =>
    running === undefined || !metrics.some(isOvercommit) ? of(UNKNOWN) : load$(running);

  return (metrics, running) =>
    combineLatest([facts$(factsFor(metrics)), loadFor$(metrics, running)]).pipe(
      take(1),
      map(([libvirt, load]): readonly Reading[] => {
        const files = hostFiles(root);
        const at = scheduler.now();
        const sinceBoot = (): number => Number.parseFloat(files.text('/proc/uptime')) * 1000;
        return metrics.map((metric) => {
          const viewOf = ({ name, via }: HostStatistic): HostView => {
            const rate = (count: number): number => rateOf(`${metric.index} ${name}`, count, at, sinceBoot);
            return { files, via, libvirt, load, wallClock, ...machine, rate };
          };
          return { metric, outcome: readStat(metric, viewOf) };
        });
      }),
    );
};

const UNKNOWN = failure('libvirt is not connected');

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
