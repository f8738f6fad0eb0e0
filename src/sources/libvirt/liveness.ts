import {
  EMPTY,
  ignoreElements,
  interval,
  mergeMap,
  type Observable,
  onErrorResumeNextWith,
  scan,
  type SchedulerLike,
  throwError,
} from 'rxjs';

import { LibvirtError } from './call.ts';
import type { CallCounts } from './calls-in-flight.ts';

// Milliseconds between two checks.
const CHECK = 5000;
// Consecutive checks with pending calls and without an answer after which a connection is given up.
const CHECKS = 4;

/**
 * Errors when a connection has answered nothing for 15 to 20 s although calls are pending, including `probe$`, which
 * any libvirtd answers at once. A call that hangs with a frozen domain does not count, nor does time in which this
 * process did not run. libvirt's own keepalive is not used: with several pending calls it ends one of them, and up to
 * libvirt 10.2 the others then use freed memory (CVE-2024-4418).
 */
export const lostWhenSilent$ = (
  counts: () => CallCounts,
  probe$: Observable<unknown>,
  scheduler: SchedulerLike,
): Observable<never> =>
  interval(CHECK, scheduler).pipe(
    scan(
      (before, _check) => {
        const { onTheWay, answered } = counts();
        const isSilent = onTheWay > 0 && answered === before.answered;
        return { answered, checks: isSilent ? before.checks + 1 : 0 };
      },
      { answered: -1, checks: 0 },
    ),
    mergeMap(({ checks }) => {
      if (checks === 1) return probe$.pipe(ignoreElements(), onErrorResumeNextWith(EMPTY));
      return checks === CHECKS ? throwError(() => new LibvirtError('connection lost: libvirt does not answer')) : EMPTY;
    }),
  );
