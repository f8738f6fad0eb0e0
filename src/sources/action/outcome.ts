import { delay, map, merge, type Observable, startWith, take, withLatestFrom } from 'rxjs';

import { GRACE } from './process-group.ts';
import type { Failure, Printed } from './results.ts';

// For a process that no signal ends: stuck in the kernel (a dead NFS server), or another user's.
const GIVE_UP = GRACE + 1000;

/**
 * The one outcome of a run: when its process is gone, or when it has been ending for too long. `ending$` emits why it is
 * ended, which is its outcome then, whatever it still prints.
 */
export const outcome$ = (gone$: Observable<Printed>, ending$: Observable<Failure>): Observable<Printed> =>
  merge(
    gone$.pipe(
      withLatestFrom(ending$.pipe(startWith(undefined))),
      map(([result, failure]) => failure ?? result),
    ),
    ending$.pipe(
      delay(GIVE_UP),
      map((failure) => ({ ...failure, reason: `${failure.reason}, but it does not end` })),
    ),
  ).pipe(take(1));
