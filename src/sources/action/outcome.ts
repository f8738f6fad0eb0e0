import { map, merge, type Observable, switchMap, take, takeUntil, timer } from 'rxjs';

import { GRACE } from './process-group.ts';
import type { Failure, Printed } from './results.ts';

// Milliseconds for a process that no signal ends: it hangs in the kernel (dead NFS server) or belongs to another user.
const GIVE_UP = GRACE + 1000;

/**
 * Emits the outcome of a run, when its process is gone or has taken too long to end. `ending$` emits the reason to end
 * it, which then is the outcome, whatever it still prints.
 */
export const outcome$ = (gone$: Observable<Printed>, ending$: Observable<Failure>): Observable<Printed> => {
  const ended$ = (failure: Failure): Observable<Failure> =>
    merge(
      gone$.pipe(map(() => failure)),
      timer(GIVE_UP).pipe(map(() => ({ ...failure, reason: `${failure.reason}, but it has not ended` }))),
    );
  return merge(gone$.pipe(takeUntil(ending$)), ending$.pipe(switchMap(ended$))).pipe(take(1));
};
