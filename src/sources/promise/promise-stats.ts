import { readFileSync } from 'node:fs';

import {
  catchError,
  defer,
  EMPTY,
  filter,
  from,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  type SchedulerLike,
  Subject,
  switchMap,
  take,
  tap,
} from 'rxjs';

import type { Domain, MetricDefinition, Reading } from '../../model/metric.ts';
import { isPromise } from '../../model/statistics.ts';
import { statFinder } from '../libvirt/stat-finder.ts';
import type { ConnectionState } from '../libvirt/reconnect.ts';
import type { StatValue } from '../libvirt/typed-params.ts';
import type { Connection } from '../libvirt/types.ts';
import type { DomainCollector } from '../source.ts';
import { noValue, statOutcome } from '../stat-outcome.ts';
import { promiseFields } from './promise-fields.ts';
import { cpusIn, type Promises, promisesIn } from './promises.ts';

// Milliseconds after which the XML is read again: libvirt does not report every change (memory limits, bandwidth).
const ASK_AGAIN = 60_000;
// Golden ratio, which spreads the questions about domains that appear together.
const SPREAD = 0.618_034;
const ASKED_AT_ONCE = 2;

interface Run {
  readonly domain: Domain;
  readonly promises: Promises;
  readonly fields: ReadonlyMap<string, StatValue>;
  readonly askAt: number;
}

// Those of the host, also if the daemon itself may use fewer.
const onlineCpus = (): number => cpusIn(readFileSync('/sys/devices/system/cpu/online', 'latin1')).size;

const isWanted = (metric: MetricDefinition): boolean => metric.context === 'vm' && isPromise(metric);

/** True if a metric is made of what domains are entitled to. */
export const needsPromises = (metrics: readonly MetricDefinition[]): boolean =>
  metrics.some(
    (metric) => isWanted(metric) || (metric.source.kind === 'stat' && metric.source.stat === 'contention.block.limit'),
  );

export interface PromiseSource {
  readonly collector: DomainCollector;
  /** Returns what is known of a domain; if that is nothing, it will be asked for. */
  readonly promisesOf: (domain: Domain) => Promises | undefined;
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
  // By UUID; those of the connection of `news$`.
  const runs = new Map<string, Run>();
  const request$ = new Subject<Domain>();

  const knownOf = (domain: Domain): Run | undefined => {
    const known = runs.get(domain.uuid);
    return known?.domain.id === domain.id ? known : undefined;
  };
  const readings = (domain: Domain, { fields }: Run): readonly Reading[] =>
    wanted.map(({ metric, find }) => {
      const value = find(fields);
      return { metric, domain, outcome: value === undefined ? noValue('no such device') : statOutcome(metric, value) };
    });
  const ask$ = (connection: Connection, domain: Domain): Observable<readonly Reading[]> =>
    connection.xml$(domain).pipe(
      map((xml) => {
        const promises = promisesIn(xml);
        const wait = runs.has(domain.uuid) ? ASK_AGAIN : ASK_AGAIN * (((runs.size + 1) * SPREAD) % 1);
        const fields = promiseFields(promises, hostCpus());
        const run = { domain, promises, fields, askAt: scheduler.now() + wait };
        runs.set(domain.uuid, run);
        return readings(domain, run);
      }),
      // The domain has ended, or libvirt is away.
      catchError(() => EMPTY),
    );
  const collect$ = (connection: Connection, domains: readonly Domain[]): Observable<readonly Reading[]> => {
    const known = domains.flatMap((domain) => {
      const run = knownOf(domain);
      return run === undefined || run.askAt <= scheduler.now() ? [] : [{ domain, run }];
    });
    const fresh = new Set(known.map(({ domain }) => domain));
    const asked$ = from(domains.filter((domain) => !fresh.has(domain))).pipe(
      mergeMap((domain) => ask$(connection, domain), ASKED_AT_ONCE),
    );
    const now = known.flatMap(({ domain, run }) => readings(domain, run));
    return now.length === 0 ? asked$ : merge(of(now), asked$);
  };
  const news$ = (connection: Connection): Observable<readonly Reading[]> =>
    defer(() => {
      runs.clear();
      const tuned$ = connection.change$.pipe(
        filter(({ kind }) => kind === 'tuned'),
        map(({ uuid }) => uuid),
      );
      const changed$ = merge(tuned$, connection.devices$).pipe(map((uuid) => runs.get(uuid)?.domain));
      const gone$ = connection.lifecycle$.pipe(
        tap((event) => event.kind === 'gone' && runs.delete(event.uuid)),
        map(() => undefined),
      );
      return merge(changed$, request$, gone$).pipe(
        filter((domain) => domain !== undefined),
        mergeMap((domain) => ask$(connection, domain), ASKED_AT_ONCE),
        filter((some) => some.length > 0),
      );
    });
  return {
    promisesOf: (domain) => {
      const known = knownOf(domain);
      if (known === undefined || (wanted.length === 0 && known.askAt <= scheduler.now())) request$.next(domain);
      return known?.promises;
    },
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
