import {
  catchError,
  defer,
  distinctUntilChanged,
  map,
  merge,
  type Observable,
  of,
  repeat,
  type SchedulerLike,
  share,
  ReplaySubject,
  takeUntil,
  tap,
  timer,
} from 'rxjs';

import type { Connection } from './libvirt/types.ts';
import { reasonOf } from '../reason.ts';

/** Whether libvirt can be asked now. */
export type Link =
  | { readonly up: true; readonly connection: Connection }
  | { readonly up: false; readonly reason: string };

// The most that a domain's return after a restart of libvirtd may be delayed by us.
const FIRST_RETRY = 100;
const MOST_RETRY = 500;
// A server that takes the connection and never answers is reported, and still waited for: a further attempt would hang too.
const NO_ANSWER = 5000;

/** Keeps one connection open: opens it again, with backoff, whenever it cannot be opened or is lost. Shared and replayed. */
export const link$ = (open$: Observable<Connection>, scheduler: SchedulerLike): Observable<Link> =>
  defer(() => {
    let failures = 0;
    const opened$ = open$.pipe(
      tap(() => (failures = 0)),
      share(),
    );
    const attempt$ = merge(
      opened$.pipe(map((connection): Link => ({ up: true, connection }))),
      timer(NO_ANSWER, scheduler).pipe(
        map((): Link => ({ up: false, reason: 'no answer yet' })),
        takeUntil(opened$),
      ),
    ).pipe(catchError((error: unknown) => of<Link>({ up: false, reason: reasonOf(error) })));
    return attempt$.pipe(
      repeat({ delay: () => timer(Math.min(MOST_RETRY, FIRST_RETRY * 2 ** failures++), scheduler) }),
      distinctUntilChanged((before, now) => !before.up && !now.up && before.reason === now.reason),
    );
  }).pipe(share({ connector: () => new ReplaySubject(1) }));
