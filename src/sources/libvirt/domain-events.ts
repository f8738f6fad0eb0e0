import {
  auditTime,
  catchError,
  connect,
  defer,
  EMPTY,
  exhaustMap,
  filter,
  finalize,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  retry,
  type SchedulerLike,
  startWith,
  switchMap,
  tap,
  throwError,
  timer,
  zip,
} from 'rxjs';

import type { DomainEvent } from '../../model/metric.ts';
import { isGoing } from './call.ts';
import type { Connection, LifecycleEvent } from './types.ts';
import type { ConnectionState } from './reconnect.ts';
import { reasonOf } from '../../model/reason.ts';

const LIST_AGAIN = 1000;
const CHECK = 60_000;
// Each occupies a worker thread, and the statistics need some, too.
const CHANNELS_AT_ONCE = 4;

/** What to follow besides the domains that run. */
export interface WatchScope {
  /** Domains that are only defined, too. */
  readonly defined: boolean;
  /** The channels of those that run. */
  readonly channels: boolean;
  /** Milliseconds between two lists where the driver reports no events. */
  readonly period: number;
}

type Sync = Extract<DomainEvent, { kind: 'sync' }>;

const list$ = (connection: Connection, { defined }: WatchScope): Observable<Sync> =>
  defined
    ? zip(connection.domains$(), connection.defined$()).pipe(
        map(([domains, all]): Sync => ({ kind: 'sync', domains, defined: all })),
      )
    : connection.domains$().pipe(map((domains): Sync => ({ kind: 'sync', domains })));

// The list may be older than an event that was reported while it was on its way: the event counts.
const patched = (list: Sync, since: readonly LifecycleEvent[]): Sync => {
  if (since.length === 0) return list;
  const running = new Map(list.domains.map((domain) => [domain.uuid, domain]));
  const defined = new Map((list.defined ?? []).map((domain) => [domain.uuid, domain]));
  for (const event of since) {
    if (event.kind === 'running') running.set(event.domain.uuid, event.domain);
    else if (event.kind === 'gone') running.delete(event.uuid);
    else if (event.kind === 'defined') defined.set(event.uuid, { uuid: event.uuid, name: event.name });
    else if (event.kind === 'undefined') defined.delete(event.uuid);
  }
  const domains = [...running.values()];
  return { kind: 'sync', domains, ...(list.defined === undefined ? {} : { defined: [...defined.values()] }) };
};

// Lists at the start and whenever `again$` says so, one list at a time; in between every event as it comes.
const listThenWatch$ = (
  connection: Connection,
  following: WatchScope,
  again$: Observable<unknown>,
): Observable<DomainEvent> =>
  defer(() => {
    let listed = false;
    let since: LifecycleEvent[] | undefined;
    const sync$ = defer(() => {
      since = [];
      return list$(connection, following).pipe(
        map((list) => patched(list, since ?? [])),
        finalize(() => (since = undefined)),
      );
    });
    const event$ = connection.lifecycle$.pipe(
      filter(({ kind }) => following.defined || !kind.endsWith('defined')),
      tap((event) => since?.push(event)),
      filter(() => listed),
    );
    return merge(
      event$,
      again$.pipe(
        startWith('now'),
        exhaustMap(() => sync$),
        tap(() => (listed = true)),
      ),
    );
  });

// Of several questions about one domain on the way at the same time the answer to the latest counts.
const channels$ = (
  connection: Connection,
  event$: Observable<DomainEvent>,
  scheduler: SchedulerLike,
): Observable<DomainEvent> =>
  defer(() => {
    const latest = new Map<string, symbol>();
    let ids: ReadonlyMap<string, number> = new Map();
    let askedAll = -Infinity;
    const uuidsToAsk = (event: DomainEvent): readonly string[] => {
      if (event.kind === 'running') return [event.domain.uuid];
      if (event.kind !== 'sync') return [];
      const before = ids;
      ids = new Map(event.domains.map(({ uuid, id }) => [uuid, id]));
      // A list that was asked for early, since a domain was missing, is news of few.
      const all = !connection.reports.devices || scheduler.now() - askedAll > CHECK / 2;
      if (all) askedAll = scheduler.now();
      return event.domains.filter(({ uuid, id }) => all || before.get(uuid) !== id).map(({ uuid }) => uuid);
    };
    const asked$ = merge(event$.pipe(mergeMap(uuidsToAsk)), connection.devices$);
    return asked$.pipe(
      map((uuid) => {
        const question = Symbol(uuid);
        latest.set(uuid, question);
        return { uuid, question };
      }),
      mergeMap(
        ({ uuid, question }) =>
          connection.channel$(uuid).pipe(
            // That the domain or the connection has gone is told by other events; whoever may not ask finds no channel.
            catchError((error: unknown) => (isGoing(error) ? EMPTY : of(undefined))),
            filter(() => latest.get(uuid) === question),
            map((path): DomainEvent => ({ kind: 'channel', uuid, ...(path === undefined ? {} : { path }) })),
            finalize(() => {
              if (latest.get(uuid) === question) latest.delete(uuid);
            }),
          ),
        CHANNELS_AT_ONCE,
      ),
    );
  });

const watched$ = (connection: Connection, following: WatchScope, scheduler: SchedulerLike): Observable<DomainEvent> => {
  const every = connection.reports.lifecycle ? CHECK : Math.min(CHECK, following.period);
  const again$ = merge(timer(every, every, scheduler), connection.doubt$.pipe(auditTime(LIST_AGAIN, scheduler)));
  const event$ = listThenWatch$(connection, following, again$);
  if (!following.channels) return event$;
  return event$.pipe(connect((shared$) => merge(shared$, channels$(connection, shared$, scheduler))));
};

/**
 * The domains: the whole list after each (re)connect, then every change as libvirt reports it. Events can be lost, and
 * so the list comes again every minute, and within a second of an answer that it does not agree with.
 */
export const domainEvents$ = (
  connectionState$: Observable<ConnectionState>,
  following: WatchScope,
  scheduler: SchedulerLike,
): Observable<DomainEvent> =>
  connectionState$.pipe(
    switchMap((link): Observable<DomainEvent> => {
      if (!link.up) return of({ kind: 'lost', reason: link.reason });
      return watched$(link.connection, following, scheduler).pipe(
        catchError((error: unknown) => {
          const reason = `the domains cannot be listed: ${reasonOf(error)}`;
          return merge(
            of<DomainEvent>({ kind: 'lost', reason }),
            throwError(() => error),
          );
        }),
        retry({ delay: () => timer(LIST_AGAIN, scheduler) }),
      );
    }),
  );
