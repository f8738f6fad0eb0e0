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
  scan,
  type SchedulerLike,
  skipUntil,
  startWith,
  switchMap,
  tap,
  timestamp,
  type Timestamp,
  timer,
  withLatestFrom,
  zip,
} from 'rxjs';

import type { DomainEvent } from '../../model/metric.ts';
import { retryWithBackoff } from '../../rx/retry-with-backoff.ts';
import { isGoing } from './call.ts';
import type { Connection, LifecycleEvent } from './types.ts';
import type { ConnectionState } from './reconnect.ts';
import { reasonOf } from '../../model/reason.ts';

const LIST_AGAIN = 1000;
const CHECK = 60_000;
// Each occupies a worker thread, and the statistics also need some.
const CHANNELS_AT_ONCE = 4;

/** Facts to follow besides the running domains. */
export interface WatchScope {
  /** Also domains that are only defined. */
  readonly defined: boolean;
  /** Also the channels of running domains. */
  readonly channels: boolean;
  /** Milliseconds between two lists if the driver reports no events. */
  readonly period: number;
}

type Sync = Extract<DomainEvent, { kind: 'sync' }>;

const list$ = (connection: Connection, { defined }: WatchScope): Observable<Sync> =>
  defined
    ? zip(connection.domains$(), connection.defined$()).pipe(
        map(([domains, all]): Sync => ({ kind: 'sync', domains, defined: all })),
      )
    : connection.domains$().pipe(map((domains): Sync => ({ kind: 'sync', domains })));

// An event that arrived during the call for a list is newer than the list.
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

// Emits a list at the start and for each `again$`, one call at a time, and every event in between.
const listThenWatch$ = (
  connection: Connection,
  following: WatchScope,
  again$: Observable<unknown>,
): Observable<DomainEvent> => {
  const event$ = connection.lifecycle$.pipe(filter(({ kind }) => following.defined || !kind.endsWith('defined')));
  const since$ = event$.pipe(
    scan((events: readonly LifecycleEvent[], event) => [...events, event], []),
    startWith([]),
  );
  const sync$ = defer(() => list$(connection, following)).pipe(
    withLatestFrom(since$),
    map(([list, since]) => patched(list, since)),
  );
  return again$.pipe(
    startWith('now'),
    exhaustMap(() => sync$),
    connect((shared$) => merge(event$.pipe(skipUntil(shared$)), shared$)),
  );
};

/** Domains whose channel is queried, and the state that decides it. */
interface Questions {
  readonly uuids: readonly string[];
  readonly ids: ReadonlyMap<string, number>;
  /** Time of the last query for all domains. */
  readonly askedAll: number;
}

export const NO_QUESTIONS: Questions = { uuids: [], ids: new Map(), askedAll: -Infinity };

/** Returns the queries after an event. `reported`: libvirt reports when a domain gets or loses a device. */
export const nextQuestions =
  (reported: boolean) =>
  ({ ids, askedAll }: Questions, { value: event, timestamp: now }: Timestamp<DomainEvent>): Questions => {
    if (event.kind === 'running') return { uuids: [event.domain.uuid], ids, askedAll };
    if (event.kind !== 'sync') return { uuids: [], ids, askedAll };
    // A list before its time, because a domain was missing, concerns only few domains.
    const all = !reported || now - askedAll > CHECK / 2;
    return {
      uuids: event.domains.filter(({ uuid, id }) => all || ids.get(uuid) !== id).map(({ uuid }) => uuid),
      ids: new Map(event.domains.map(({ uuid, id }) => [uuid, id])),
      askedAll: all ? now : askedAll,
    };
  };

// Of simultaneous queries about one domain, only the answer to the latest counts.
const channels$ = (
  connection: Connection,
  event$: Observable<DomainEvent>,
  scheduler: SchedulerLike,
): Observable<DomainEvent> =>
  defer(() => {
    const latest = new Map<string, number>();
    const asked$ = event$.pipe(
      timestamp(scheduler),
      scan(nextQuestions(connection.reports.devices), NO_QUESTIONS),
      mergeMap(({ uuids }) => uuids),
    );
    return merge(asked$, connection.devices$).pipe(
      map((uuid, question) => ({ uuid, question })),
      tap(({ uuid, question }) => latest.set(uuid, question)),
      mergeMap(
        ({ uuid, question }) =>
          connection.channel$(uuid).pipe(
            // Other events report a lost domain or connection; without the permission to ask there is no channel.
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
 * Events of the domains: the whole list after each (re)connect, then every change that libvirt reports. Because events
 * can be lost, the list is repeated every minute, and within a second after an answer that contradicts it.
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
        retryWithBackoff({
          scheduler,
          backoff: { first: LIST_AGAIN, most: LIST_AGAIN },
          report: (error) =>
            of<DomainEvent>({ kind: 'lost', reason: `the domains cannot be listed: ${reasonOf(error)}` }),
        }),
      );
    }),
  );
