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

import { waitOf } from '../../rx/retry-with-backoff.ts';
import { isGoing, LibvirtError } from './call.ts';
import type { Connection } from './types.ts';
import { reasonOf } from '../../model/reason.ts';

/** Whether libvirt can be asked now. */
export type ConnectionState =
  | { readonly up: true; readonly connection: Connection }
  | { readonly up: false; readonly reason: string };

// Upper bound on the delay we add after libvirtd restarts.
const FIRST_RETRY = 100;
const MOST_RETRY = 500;
// A libvirt that answers and refuses is seldom persuaded, and logs each attempt.
const MOST_RETRY_REFUSED = 30_000;
// A connection that lives so long is a good one.
const STABLE = 1000;
// A server that takes the connection and never answers is reported, and still waited for: a further attempt would hang too.
const NO_ANSWER = 5000;

// The server is away, or has just gone.
const isPassing = (error: unknown): boolean =>
  isGoing(error) || (error instanceof LibvirtError && error.code === undefined);

/** Keeps one connection open: opens it again, with backoff, whenever it cannot be opened or is lost. Shared and replayed. */
export const connectionState$ = (
  open$: Observable<Connection>,
  scheduler: SchedulerLike,
): Observable<ConnectionState> =>
  defer(() => {
    let failures = 0;
    let upSince: number | undefined;
    let most = MOST_RETRY;
    const opened$ = open$.pipe(
      tap({
        next: () => (upSince = scheduler.now()),
        error: (error: unknown) => {
          // One that is lost as soon as it is open is opened ever less often, too.
          if (upSince !== undefined && scheduler.now() - upSince >= STABLE) failures = 0;
          upSince = undefined;
          most = isPassing(error) ? MOST_RETRY : MOST_RETRY_REFUSED;
        },
      }),
      share(),
    );
    const attempt$ = merge(
      opened$.pipe(map((connection): ConnectionState => ({ up: true, connection }))),
      timer(NO_ANSWER, scheduler).pipe(
        map((): ConnectionState => ({ up: false, reason: 'no answer yet' })),
        takeUntil(opened$),
      ),
    ).pipe(catchError((error: unknown) => of<ConnectionState>({ up: false, reason: reasonOf(error) })));
    return attempt$.pipe(
      repeat({ delay: () => timer(waitOf({ first: FIRST_RETRY, most }, failures++), scheduler) }),
      distinctUntilChanged((before, now) => !before.up && !now.up && before.reason === now.reason),
    );
  }).pipe(share({ connector: () => new ReplaySubject(1) }));
