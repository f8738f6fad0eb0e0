import { exhaustMap, first, map, type Observable, type SchedulerLike, takeUntil, timer } from 'rxjs';

// libvirt itself waits 5 s for the guest.
const WAIT = 5000;
const LOOK_AGAIN = 250;

/** Emits true if the guest releases a device within 5 s, else false. `there$` checks once. */
export const waitUntilDetached$ = (there$: Observable<boolean>, scheduler: SchedulerLike): Observable<boolean> =>
  timer(0, LOOK_AGAIN, scheduler).pipe(
    exhaustMap(() => there$),
    map((there) => !there),
    takeUntil(timer(WAIT, scheduler)),
    first((gone) => gone, false),
  );
