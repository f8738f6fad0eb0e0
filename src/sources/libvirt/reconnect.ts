import {
  connect,
  distinctUntilChanged,
  map,
  merge,
  type Observable,
  of,
  ReplaySubject,
  type SchedulerLike,
  share,
  takeUntil,
  timer,
} from 'rxjs';

import { type Backoff, retryWithBackoff } from '../../rx/retry-with-backoff.ts';
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

const backoffFor = (error: unknown): Backoff => ({
  first: FIRST_RETRY,
  most: isPassing(error) ? MOST_RETRY : MOST_RETRY_REFUSED,
});

const down = (reason: string): ConnectionState => ({ up: false, reason });

/** Keeps one connection open: opens it again, with backoff, whenever it cannot be opened or is lost. Shared and replayed. */
export const connectionState$ = (
  open$: Observable<Connection>,
  scheduler: SchedulerLike,
): Observable<ConnectionState> =>
  open$.pipe(
    map((connection): ConnectionState => ({ up: true, connection })),
    connect((up$) =>
      merge(
        up$,
        timer(NO_ANSWER, scheduler).pipe(
          map(() => down('no answer yet')),
          takeUntil(up$),
        ),
      ),
    ),
    // One that is lost as soon as it is open is opened ever less often, too.
    retryWithBackoff({
      scheduler,
      backoff: backoffFor,
      isWell: ({ up }) => up,
      stableAfter: STABLE,
      report: (error) => of(down(reasonOf(error))),
    }),
    distinctUntilChanged((before, now) => !before.up && !now.up && before.reason === now.reason),
    share({ connector: () => new ReplaySubject(1) }),
  );
