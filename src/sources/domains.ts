import {
  catchError,
  concatMap,
  defer,
  map,
  merge,
  type Observable,
  of,
  retry,
  type SchedulerLike,
  switchMap,
  throwError,
  timer,
} from 'rxjs';

import type { DomainEvent } from '../metric.ts';
import type { Connection } from './libvirt/types.ts';
import type { Link } from './link.ts';
import { reasonOf } from '../reason.ts';

const LIST_AGAIN = 1000;

// Events that overtake the list wait for it and are applied on top: starting or stopping twice changes nothing.
const inventory$ = (connection: Connection): Observable<DomainEvent> =>
  defer(() => {
    let waiting: DomainEvent[] | undefined = [];
    return merge(
      connection.lifecycle$,
      connection.domains$().pipe(map((domains): DomainEvent => ({ kind: 'sync', domains }))),
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

/** The active domains: the whole list after each (re)connect, then every change as libvirt reports it. */
export const domains$ = (link$: Observable<Link>, scheduler: SchedulerLike): Observable<DomainEvent> =>
  link$.pipe(
    switchMap((link): Observable<DomainEvent> => {
      if (!link.up) return of({ kind: 'lost', reason: link.reason });
      return inventory$(link.connection).pipe(
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
