import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

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
import { isOvercommit, STATISTICS } from '../../model/statistics.ts';
import type { Connection, HostFact, HostFacts } from '../libvirt/types.ts';
import type { ConnectionState } from '../libvirt/reconnect.ts';

const FACTS: ReadonlySet<string> = new Set(
  STATISTICS.host.filter(({ via }) => /^vir(?:Connect|Node)/.test(via)).map(({ name }) => name),
);
const isFact = (stat: string): stat is HostFact => FACTS.has(stat);

// Milliseconds. A libvirt that works answers within a few.
const PATIENCE = 1000;

// Milliseconds until a fact is asked for again whose change cannot be seen.
const ANSWER_PERIOD = 60_000;

/** Reads what the kernel shows of a fact of this host: if that changes, the fact may have changed. */
export type Signs = { readonly [Name in HostFact]?: () => string };

const SIGNS: Signs = {
  'host.cpus': () => readFileSync('/sys/devices/system/cpu/online', 'latin1'),
  'host.libvirt.hostname': hostname,
};

// Words in an action of the host that calls virsh.
const ASKS_LIBVIRT = /(?<![\w$])(?:CONNECT|virsh)(?!\w)/;

const neededBy = (stat: string): string => (stat === 'host.overcommit.cpus' ? 'host.cpus' : stat);

/** Returns the facts that these metrics need from libvirt. */
export const factsFor = (metrics: readonly MetricDefinition[]): readonly HostFact[] => [
  ...new Set(metrics.map(({ source }) => (source.kind === 'stat' ? neededBy(source.stat) : '')).filter(isFact)),
];

/** True for a host metric from libvirt, which is also collected when libvirt becomes available (again). */
export const isFromLibvirt = (metric: MetricDefinition): boolean => {
  const { context, source } = metric;
  if (context !== 'host') return false;
  return source.kind === 'stat' ? isFact(source.stat) || isOvercommit(metric) : ASKS_LIBVIRT.test(source.command);
};

/**
 * Asks libvirt for facts of the host, because CPUs go offline and hosts are renamed: for those of this host when the
 * kernel shows a change, for those of another host at each call, and for all of them on each connection and once a
 * minute. The version of the hypervisor changes only with its package, so a minute is enough. While libvirt is away or
 * hangs, its latest answer counts, except for the CPUs, which the kernel knows as well.
 */
export const hostFacts = (
  connectionState$: Observable<ConnectionState>,
  scheduler: SchedulerLike,
  signs: Signs = SIGNS,
): ((wanted: readonly HostFact[]) => Observable<HostFacts | undefined>) => {
  // The latest answer about each fact; undefined until there is one.
  const latest$ = new BehaviorSubject<HostFacts | undefined>(undefined);
  const calls = new Map<string, Observable<HostFacts>>();
  const answered = new WeakMap<Connection, Map<HostFact, { readonly at: number; readonly sign: string | undefined }>>();
  const signOf = (fact: HostFact): string | undefined => {
    try {
      return signs[fact]?.();
    } catch {
      return undefined;
    }
  };
  const isDue = (connection: Connection, fact: HostFact): boolean => {
    const answer = answered.get(connection)?.get(fact);
    if (answer === undefined || scheduler.now() >= answer.at + ANSWER_PERIOD) return true;
    if (fact === 'host.product') return false;
    const isOfThisHost = connection.localInfo !== undefined;
    return !isOfThisHost || answer.sign === undefined || signOf(fact) !== answer.sign;
  };
  const remember = (
    connection: Connection,
    facts: HostFacts,
    before: ReadonlyMap<HostFact, string | undefined>,
  ): void => {
    const answers = answered.get(connection) ?? new Map();
    for (const [fact, sign] of before) if (facts[fact]?.ok === true) answers.set(fact, { at: scheduler.now(), sign });
    answered.set(connection, answers);
  };
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
    // Before the call: a change during it counts as new.
    const before = new Map(wanted.map((fact) => [fact, signOf(fact)]));
    const new$ = connection.host$(wanted).pipe(
      tap((facts) => remember(connection, facts, before)),
      map((facts) => ({ ...latest$.value, ...facts })),
      tap((facts) => latest$.next(facts)),
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
