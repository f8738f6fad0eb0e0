import {
  catchError,
  EMPTY,
  from,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  type SchedulerLike,
  switchMap,
  take,
} from 'rxjs';

import type { Domain, MetricDefinition, Reading } from '../../model/metric.ts';
import { STATISTICS, STATS_GROUP, type StatsGroup } from '../../model/statistics.ts';
import { deviceTotals, groupBehind } from './device-totals.ts';
import { statFinder } from './stat-finder.ts';
import { hedgedStats } from './hedged-stats.ts';
import { isBusy, isGoing, LibvirtError } from './call.ts';
import type { DiskLimits } from '../promise/promises.ts';
import type { Connection, DomainStats } from './types.ts';
import type { ConnectionState } from './reconnect.ts';
import type { DomainCollector } from '../source.ts';
import { noValue, statOutcome } from '../stat-outcome.ts';

// Statistics of the cheapest call by far, which needs no answer from QEMU.
const INFO: ReadonlySet<string> = new Set(
  STATISTICS.vm.filter(({ via }) => via === 'virDomainGetInfo').map(({ name }) => name),
);
// If libvirtd is frozen, each call blocks a worker thread; one of the 16 must stay free for the event loop.
const INFO_AT_ONCE = 8;
const QUICK_CALLS = 2;
const MONITORED_CALLS = 4;
// libvirt has these groups in memory. All others query QEMU's monitor, which a frozen QEMU never answers.
const QUICK: ReadonlySet<string> = new Set<StatsGroup>(['state', 'net', 'perf', 'memory']);

const statOf = ({ source }: MetricDefinition): string => (source.kind === 'stat' ? source.stat : '');
const groupOf = (metric: MetricDefinition): string =>
  groupBehind(statOf(metric)) ?? statOf(metric).split('.', 1)[0] ?? '';
const isGroup = (word: string): word is StatsGroup => Object.hasOwn(STATS_GROUP, word);

/** Converts the statistics of a domain to readings. A missing statistic is a failure, unless the answer is partial. */
const reader = (metrics: readonly MetricDefinition[]): ((stats: DomainStats) => readonly Reading[]) => {
  const wanted = metrics.map((metric) => ({ metric, find: statFinder(statOf(metric)) }));
  return ({ domain, fields, partial }) =>
    wanted.flatMap(({ metric, find }): Reading | readonly Reading[] => {
      const found = find(fields);
      if (found !== undefined) return { metric, domain, outcome: statOutcome(metric, found) };
      return partial === true
        ? []
        : { metric, domain, outcome: noValue(`the domain has no statistic ${statOf(metric)}`) };
    });
};

const onError =
  (metrics: readonly MetricDefinition[], domains: readonly Domain[]) =>
  (error: unknown): Observable<readonly Reading[]> => {
    if (!(error instanceof LibvirtError)) throw error;
    // The inventory handles a domain that ends; a busy domain is only late.
    if (isGoing(error) || isBusy(error)) return EMPTY;
    return from(
      domains.map((domain) => metrics.map((metric) => ({ metric, domain, outcome: noValue(error.message) }))),
    );
  };

type Ask = (connection: Connection, domains: readonly Domain[]) => Observable<readonly Reading[]>;

const infoAsk = (metrics: readonly MetricDefinition[]): Ask => {
  const read = reader(metrics);
  // By answer, which stays the same while nothing changes, as for most domains of most hosts.
  const known = new WeakMap<DomainStats, readonly Reading[]>();
  const readKnown = (stats: DomainStats): readonly Reading[] => {
    const found = known.get(stats) ?? read(stats);
    known.set(stats, found);
    return found;
  };
  return (connection, domains) => {
    const local: Reading[] = [];
    const asked: Domain[] = [];
    for (const domain of domains) {
      const stats = connection.localInfo?.(domain);
      if (stats === undefined) asked.push(domain);
      else local.push(...readKnown(stats));
    }
    const answer$ = from(asked).pipe(
      mergeMap(
        (domain) => connection.info$(domain).pipe(map(read), catchError(onError(metrics, [domain]))),
        INFO_AT_ONCE,
      ),
    );
    return local.length === 0 ? answer$ : merge(of(local), answer$);
  };
};

// What shows in libvirt's answer that it has a statistic.
const sign = (stat: string): string => {
  const group = groupBehind(stat);
  return group === undefined ? stat : `${group}.count`;
};

type LimitsOf = (domain: Domain) => readonly DiskLimits[];

const bulkAsk = (
  metrics: readonly MetricDefinition[],
  mostCalls: number,
  scheduler: SchedulerLike,
  limitsOf: LimitsOf,
): Ask => {
  const read = reader(metrics);
  const groups = [...new Set(metrics.map(groupOf).filter(isGroup))].reduce(
    (flags, group) => flags | STATS_GROUP[group],
    0,
  );
  const finders = metrics.map((metric) => statFinder(sign(statOf(metric))));
  const isMade = metrics.some((metric) => groupBehind(statOf(metric)) !== undefined);
  const hasLimits = metrics.some((metric) => statOf(metric) === 'contention.block.limit');
  const withTotals = deviceTotals(scheduler);
  const found = ({ fields }: DomainStats): number => finders.filter((find) => find(fields) !== undefined).length;
  const stats$ = hedgedStats({ groups, wanted: finders.length, found, mostCalls, scheduler });
  // The process outlives a pause, after which the domain is another object.
  const completed = (connection: Connection, stats: DomainStats): DomainStats => {
    if (!isMade) return stats;
    const { domain, fields } = stats;
    const limits = hasLimits ? limitsOf(domain) : [];
    return { ...stats, fields: withTotals(connection.process?.(domain) ?? domain, fields, limits) };
  };
  return (connection, domains) =>
    stats$(connection, domains).pipe(
      map((all) => all.flatMap((stats) => read(completed(connection, stats)))),
      catchError(onError(metrics, domains)),
    );
};

/**
 * Chooses the cheapest calls for the statistics of the metrics: virDomainGetInfo for those that it has, and bulk calls
 * for the groups of the rest, separately for groups that need QEMU's answer and those that do not. `limitsOf`: the I/O
 * limits of a domain's disks, as far as they are known.
 */
export const domainCollectors = (
  metrics: readonly MetricDefinition[],
  connectionState$: Observable<ConnectionState>,
  scheduler: SchedulerLike,
  limitsOf: LimitsOf = () => [],
): readonly DomainCollector[] => {
  const stats = metrics.filter(
    (metric) => metric.context === 'vm' && metric.source.kind === 'stat' && isGroup(groupOf(metric)),
  );
  const info = stats.filter((metric) => INFO.has(statOf(metric)));
  const bulk = stats.filter((metric) => !INFO.has(statOf(metric)));
  const quick = bulk.filter((metric) => QUICK.has(groupOf(metric)));
  const monitored = bulk.filter((metric) => !QUICK.has(groupOf(metric)));
  const collector = (part: readonly MetricDefinition[], ask: Ask): DomainCollector => ({
    metrics: part,
    collect$: (domains) =>
      connectionState$.pipe(
        take(1),
        switchMap((link) => (link.up ? ask(link.connection, domains) : EMPTY)),
      ),
  });
  return [
    ...(info.length > 0 ? [collector(info, infoAsk(info))] : []),
    ...(quick.length > 0 ? [collector(quick, bulkAsk(quick, QUICK_CALLS, scheduler, limitsOf))] : []),
    ...(monitored.length > 0 ? [collector(monitored, bulkAsk(monitored, MONITORED_CALLS, scheduler, limitsOf))] : []),
  ];
};
