import {
  catchError,
  concatMap,
  connect,
  defer,
  EMPTY,
  filter,
  finalize,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  retry,
  type SchedulerLike,
  switchMap,
  throwError,
  timer,
  zip,
} from 'rxjs';

import type { DomainEvent } from '../metric.ts';
import { isGoing } from './libvirt/call.ts';
import type { Connection } from './libvirt/types.ts';
import type { Link } from './link.ts';
import { reasonOf } from '../reason.ts';

const LIST_AGAIN = 1000;
// Each occupies a worker thread, and the statistics need some, too.
const CHANNELS_AT_ONCE = 4;

/** What to follow besides the domains that run. */
export interface Following {
  /** Domains that are only defined, too. */
  readonly defined: boolean;
  /** The channels of those that run. */
  readonly channels: boolean;
}

const list$ = (connection: Connection, { defined }: Following): Observable<DomainEvent> =>
  defined
    ? zip(connection.domains$(), connection.defined$()).pipe(
        map(([domains, all]): DomainEvent => ({ kind: 'sync', domains, defined: all })),
      )
    : connection.domains$().pipe(map((domains): DomainEvent => ({ kind: 'sync', domains })));

// Events that overtake the list wait for it and are applied on top: starting or stopping twice changes nothing.
const inventory$ = (connection: Connection, following: Following): Observable<DomainEvent> =>
  defer(() => {
    let waiting: DomainEvent[] | undefined = [];
    return merge(
      connection.lifecycle$.pipe(filter(({ kind }) => following.defined || !kind.endsWith('defined'))),
      list$(connection, following),
    ).pipe(
      concatMap((event: DomainEvent) => {
        if (waiting === undefined) return [event];
        waiting.push(event);
        if (event.kind !== 'sync') return [];
        const events = [event, ...waiting.filter((other) => other !== event)];
        waiting = undefined;
        return events;
      }),
    );
  });

const uuidsToAsk = (event: DomainEvent): readonly string[] => {
  if (event.kind === 'sync') return event.domains.map(({ uuid }) => uuid);
  return event.kind === 'running' ? [event.domain.uuid] : [];
};

// Of several questions about one domain on the way at the same time the answer to the latest counts.
const channels$ = (connection: Connection, event$: Observable<DomainEvent>): Observable<DomainEvent> =>
  defer(() => {
    const latest = new Map<string, symbol>();
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

const followed$ = (connection: Connection, following: Following): Observable<DomainEvent> => {
  const event$ = inventory$(connection, following);
  if (!following.channels) return event$;
  return event$.pipe(connect((shared$) => merge(shared$, channels$(connection, shared$))));
};

/** The domains: the whole list after each (re)connect, then every change as libvirt reports it. */
export const domains$ = (
  link$: Observable<Link>,
  following: Following,
  scheduler: SchedulerLike,
): Observable<DomainEvent> =>
  link$.pipe(
    switchMap((link): Observable<DomainEvent> => {
      if (!link.up) return of({ kind: 'lost', reason: link.reason });
      return followed$(link.connection, following).pipe(
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
