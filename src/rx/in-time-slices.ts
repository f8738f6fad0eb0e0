import { defer, EMPTY, repeat, timer } from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

/** Milliseconds of work before the event loop gets a turn. */
const SLICE = 3;

/** Applies `work` to each item in slices of 3 ms with turns of the event loop in between; then completes. */
export const inTimeSlices$ = <T>(
  items: readonly T[],
  work: (item: T) => void,
  scheduler: SchedulerLike,
): Observable<never> =>
  defer(() => {
    let next = 0;
    const slice$ = defer(() => {
      const end = scheduler.now() + SLICE;
      for (const item of items.slice(next)) {
        next += 1;
        work(item);
        if (scheduler.now() >= end) break;
      }
      return EMPTY;
    });
    return slice$.pipe(repeat({ delay: () => (next < items.length ? timer(0, scheduler) : EMPTY) }));
  });
