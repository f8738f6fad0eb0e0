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

/** State of the connection to libvirt. */
export type ConnectionState =
  | { readonly up: true; readonly connection: Connection }
  | { readonly up: false; readonly reason: string };

// Upper bound on the delay we add after libvirtd restarts.
const FIRST_RETRY = 100;
const MOST_RETRY = 500;
// Longest wait in milliseconds if libvirt refuses: that rarely changes, and libvirt logs each attempt.
const MOST_RETRY_REFUSED = 30_000;
// Milliseconds after which a connection counts as stable.
const STABLE = 1000;
// Milliseconds without an answer to report. The attempt continues, because another one would also hang.
const NO_ANSWER = 5000;

// True if the server is away, or has just ended.
const isPassing = (error: unknown): boolean =>
  isGoing(error) || (error instanceof LibvirtError && error.code === undefined);

const backoffFor = (error: unknown): Backoff => ({
  first: FIRST_RETRY,
  most: isPassing(error) ? MOST_RETRY : MOST_RETRY_REFUSED,
});

const down = (reason: string): ConnectionState => ({ up: false, reason });

/** Keeps one connection open: reconnects with backoff after a failure or a loss. Shared and replayed. */
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
    // The waits also grow if a connection is lost soon after it was opened.
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
