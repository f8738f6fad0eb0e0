import {
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

// A libvirt that answers does so in a few milliseconds.
const PATIENCE = 1000;

// The words by which an action of the host calls virsh.
const ASKS_LIBVIRT = /(?<![\w$])(?:CONNECT|virsh)(?!\w)/;

/** The facts that these metrics need from libvirt. */
export const factsFor = (metrics: readonly MetricDefinition[]): readonly HostFact[] => [
  ...new Set(metrics.map(({ source }) => (source.kind === 'stat' ? source.stat : '')).filter(isFact)),
];

/** The host metric comes from libvirt: it is collected also when libvirt can be asked (again). */
export const isFromLibvirt = ({ context, source }: MetricDefinition): boolean =>
  context === 'host' && (source.kind === 'stat' ? isFact(source.stat) : ASKS_LIBVIRT.test(source.command));

/**
 * Asks libvirt for facts of the host, each time anew: CPUs go offline, hosts are renamed, hypervisors are updated.
 * While libvirt is away or hangs, its latest answer stands, but for the CPUs, which the kernel can tell as well.
 */
export const hostFacts = (
  connectionState$: Observable<ConnectionState>,
  scheduler: SchedulerLike,
): ((wanted: readonly HostFact[]) => Observable<HostFacts | undefined>) => {
  let latest: HostFacts = {};
  let reached = false;
  const calls = new Map<string, Observable<HostFacts>>();
  const remembered = (): HostFacts | undefined => {
    const { 'host.cpus': _, ...rest } = latest;
    return reached ? rest : undefined;
  };
  // A call that hangs occupies a thread, whoever waits for it: there is one at a time for each connection.
  const call$ = (connection: Connection, wanted: readonly HostFact[]): Observable<HostFacts> => {
    const key = wanted.join();
    const onTheWay$ = calls.get(key);
    if (onTheWay$ !== undefined) return onTheWay$;
    const new$ = connection.host$(wanted).pipe(
      tap((facts) => {
        latest = { ...latest, ...facts };
        reached = true;
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
          const overdue$ = wanted.every((fact) => fact in latest) ? timer(PATIENCE, scheduler) : NEVER;
          return race(
            call$(link.connection, wanted).pipe(catchError(() => of(remembered()))),
            overdue$.pipe(map(remembered)),
          ).pipe(take(1));
        }),
      );
    });
};
