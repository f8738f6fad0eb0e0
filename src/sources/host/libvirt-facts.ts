import {
  BehaviorSubject,
  catchError,
  defer,
  finalize,
  map,
  merge,
  NEVER,
  type Observable,
  of,
  race,
  ReplaySubject,
  type SchedulerLike,
  share,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs';

import type { MetricDefinition } from '../../model/metric.ts';
import { STATISTICS } from '../../model/statistics.ts';
import type { Connection, HostFact, HostFacts } from '../libvirt/types.ts';
import type { ConnectionState } from '../libvirt/reconnect.ts';

const FACTS: ReadonlySet<string> = new Set(
  STATISTICS.host.filter(({ via }) => via.startsWith('vir')).map(({ name }) => name),
);
const isFact = (stat: string): stat is HostFact => FACTS.has(stat);

// Milliseconds. A libvirt that works answers within a few.
const PATIENCE = 1000;

// Milliseconds. The version of the hypervisor changes with an upgrade of its package only.
const PRODUCT_PERIOD = 60_000;

// Words in an action of the host that calls virsh.
const ASKS_LIBVIRT = /(?<![\w$])(?:CONNECT|virsh)(?!\w)/;

/** Returns the facts that these metrics need from libvirt. */
export const factsFor = (metrics: readonly MetricDefinition[]): readonly HostFact[] => [
  ...new Set(metrics.map(({ source }) => (source.kind === 'stat' ? source.stat : '')).filter(isFact)),
];

/** True for a host metric from libvirt, which is also collected when libvirt becomes available (again). */
export const isFromLibvirt = ({ context, source }: MetricDefinition): boolean =>
  context === 'host' && (source.kind === 'stat' ? isFact(source.stat) : ASKS_LIBVIRT.test(source.command));

/**
 * Asks libvirt for facts of the host at each call, because CPUs go offline and hosts are renamed; for the version of
 * the hypervisor once a connection and minute. While libvirt is away or hangs, its latest answer counts, except for the
 * CPUs, which the kernel knows as well.
 */
export const hostFacts = (
  connectionState$: Observable<ConnectionState>,
  scheduler: SchedulerLike,
): ((wanted: readonly HostFact[]) => Observable<HostFacts | undefined>) => {
  // The latest answer about each fact; undefined until there is one.
  const latest$ = new BehaviorSubject<HostFacts | undefined>(undefined);
  const calls = new Map<string, Observable<HostFacts>>();
  // Time of the last answer about the product.
  const productAt = new WeakMap<Connection, number>();
  const isDue = (connection: Connection, fact: HostFact): boolean =>
    fact !== 'host.product' || scheduler.now() >= (productAt.get(connection) ?? -Infinity) + PRODUCT_PERIOD;
  const remembered = (): HostFacts | undefined => {
    if (latest$.value === undefined) return undefined;
    const { 'host.cpus': _, ...rest } = latest$.value;
    return rest;
  };
  // A hanging call occupies a thread, so each connection has one call at a time.
  const call$ = (connection: Connection, wanted: readonly HostFact[]): Observable<HostFacts> => {
    const key = wanted.join();
    const onTheWay$ = calls.get(key);
    if (onTheWay$ !== undefined) return onTheWay$;
    const new$ = connection.host$(wanted).pipe(
      map((facts) => ({ ...latest$.value, ...facts })),
      tap((facts) => latest$.next(facts)),
      tap((facts) => {
        if (wanted.includes('host.product') && facts['host.product']?.ok === true)
          productAt.set(connection, scheduler.now());
      }),
      finalize(() => calls.delete(key)),
      share({ connector: () => new ReplaySubject(1), resetOnRefCountZero: false }),
    );
    calls.set(key, new$);
    return new$;
  };
  return (wanted) =>
    defer(() => {
      if (wanted.length === 0) return of(undefined);
      return merge(connectionState$, of<ConnectionState>({ up: false, reason: 'not connected yet' })).pipe(
        take(1),
        switchMap((link) => {
          if (!link.up) return of(remembered());
          const due = wanted.filter((fact) => isDue(link.connection, fact));
          if (due.length === 0) return of(latest$.value);
          const overdue$ = wanted.every((fact) => latest$.value?.[fact] !== undefined)
            ? timer(PATIENCE, scheduler)
            : NEVER;
          return race(
            call$(link.connection, due).pipe(catchError(() => of(remembered()))),
            overdue$.pipe(map(remembered)),
          ).pipe(take(1));
        }),
      );
    });
};
