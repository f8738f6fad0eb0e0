import { readFileSync } from 'node:fs';

import {
  defer,
  EMPTY,
  filter,
  first,
  from,
  ignoreElements,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  type SchedulerLike,
  startWith,
  Subject,
  switchMap,
  take,
  tap,
  timeout,
} from 'rxjs';

import { type Domain, domainRunKey, type MetricDefinition, type Reading } from '../../model/metric.ts';
import { failure, type Result, success } from '../../model/result.ts';
import { isOvercommit, isPromise } from '../../model/statistics.ts';
import { statFinder } from '../libvirt/stat-finder.ts';
import type { ConnectionState } from '../libvirt/reconnect.ts';
import type { Connection } from '../libvirt/types.ts';
import type { DomainCollector } from '../source.ts';
import { noValue, statOutcome } from '../stat-outcome.ts';
import { type Load, loadOf } from './load.ts';
import { promiseReader, type Run } from './promise-reader.ts';
import { cpusIn, type Promises } from './promises.ts';

const ASKED_AT_ONCE = 2;
// Milliseconds in which the XML of thousands of domains has been read.
const LOAD_PATIENCE = 10_000;

// Those of the host, also if the daemon itself may use fewer.
const onlineCpus = (): number => cpusIn(readFileSync('/sys/devices/system/cpu/online', 'latin1')).size;

const isWanted = (metric: MetricDefinition): boolean => metric.context === 'vm' && isPromise(metric);

/** True if a metric is made of what domains are entitled to. */
export const needsPromises = (metrics: readonly MetricDefinition[]): boolean =>
  metrics.some(
    (metric) =>
      isWanted(metric) ||
      isOvercommit(metric) ||
      (metric.source.kind === 'stat' && metric.source.stat === 'contention.block.limit'),
  );

export interface PromiseSource {
  readonly collector: DomainCollector;
  /** Returns what is known of a domain; if that is nothing or old, it will be asked for. */
  readonly promisesOf: (domain: Domain) => Promises | undefined;
  /** Emits once what these domains may use together, as soon as that is known of each that has not ended. */
  readonly load$: (domains: readonly Domain[]) => Observable<Result<Load>>;
}

/**
 * Collects what domains are entitled to, from their live XML: when they start, when libvirt reports a change of their
 * limits, balloon or devices, and once a minute.
 */
export const promiseSource = (
  metrics: readonly MetricDefinition[],
  connectionState$: Observable<ConnectionState>,
  scheduler: SchedulerLike,
  hostCpus = onlineCpus,
): PromiseSource => {
  const wanted = metrics
    .filter(isWanted)
    .map((metric) => ({ metric, find: statFinder(metric.source.kind === 'stat' ? metric.source.stat : '') }));
  const { knownOf, domainOf, isFresh, read$, idle$, settled$, forget, forgetAll } = promiseReader(scheduler, hostCpus);
  const request$ = new Subject<Domain>();
  // Runs that wait for their turn, by key. True: libvirt has reported a change, so what is known is out of date.
  const waiting = new Map<string, boolean>();

  const request = (domain: Domain, anew: boolean): void => {
    const key = domainRunKey(domain);
    const before = waiting.get(key);
    waiting.set(key, anew || before === true);
    if (before === undefined) request$.next(domain);
  };
  const readings = (domain: Domain, { fields }: Run): readonly Reading[] =>
    wanted.map(({ metric, find }) => {
      const value = find(fields);
      return { metric, domain, outcome: value === undefined ? noValue('no such device') : statOutcome(metric, value) };
    });
  const collect$ = (connection: Connection, domains: readonly Domain[]): Observable<readonly Reading[]> => {
    const fresh = domains.filter(isFresh);
    const asked$ = from(domains.filter((domain) => !isFresh(domain))).pipe(
      mergeMap((domain) => read$(connection, domain, false).pipe(map((run) => readings(domain, run))), ASKED_AT_ONCE),
    );
    const now = fresh.flatMap((domain) => readings(domain, knownOf(domain)!));
    return now.length === 0 ? asked$ : merge(of(now), asked$);
  };
  // Who requests a domain without a change collects its statistics, too.
  const answer$ = (connection: Connection, domain: Domain): Observable<readonly Reading[]> =>
    defer(() => {
      const key = domainRunKey(domain);
      const anew = waiting.get(key) === true;
      waiting.delete(key);
      if (anew) return read$(connection, domain, true).pipe(map((run) => readings(domain, run)));
      return isFresh(domain) ? EMPTY : read$(connection, domain, false).pipe(ignoreElements());
    });
  const news$ = (connection: Connection): Observable<readonly Reading[]> =>
    defer(() => {
      forgetAll();
      waiting.clear();
      const tuned$ = connection.change$.pipe(
        filter(({ kind }) => kind === 'tuned'),
        map(({ uuid }) => uuid),
      );
      const changed$ = merge(tuned$, connection.devices$).pipe(
        tap((uuid) => {
          const domain = domainOf(uuid);
          if (domain !== undefined) request(domain, true);
        }),
        ignoreElements(),
      );
      const gone$ = connection.lifecycle$.pipe(
        tap((event) => event.kind === 'gone' && forget(event.uuid)),
        ignoreElements(),
      );
      // An answer on its way may be from before a change, so the next question waits for it, and for one only.
      const answered$ = request$.pipe(
        mergeMap(idle$),
        mergeMap((domain) => answer$(connection, domain), ASKED_AT_ONCE),
      );
      return merge(answered$, changed$, gone$).pipe(filter((some) => some.length > 0));
    });
  const promisesOf = (domain: Domain): Promises | undefined => {
    const known = knownOf(domain);
    if (!isFresh(domain)) request(domain, false);
    return known?.promises;
  };
  return {
    promisesOf,
    load$: (domains) =>
      defer(() => {
        for (const domain of domains) promisesOf(domain);
        const unknown = new Set(domains.filter((domain) => knownOf(domain) === undefined).map(({ uuid }) => uuid));
        return settled$.pipe(
          tap((uuid) => unknown.delete(uuid)),
          startWith(undefined),
          first(() => unknown.size === 0),
          map(() => success(loadOf(domains.flatMap((domain) => knownOf(domain)?.promises ?? [])))),
          timeout({ first: LOAD_PATIENCE, scheduler, with: () => of(failure('libvirt has not described all VMs')) }),
        );
      }),
    collector: {
      metrics: wanted.map(({ metric }) => metric),
      collect$: (domains) =>
        connectionState$.pipe(
          take(1),
          switchMap((link) => (link.up ? collect$(link.connection, domains) : EMPTY)),
        ),
      news$: connectionState$.pipe(switchMap((link) => (link.up ? news$(link.connection) : EMPTY))),
    },
  };
};
