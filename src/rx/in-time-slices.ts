import { defer, EMPTY, repeat, timer } from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

/** Longest time, in milliseconds, that everything else of the process waits for a piece of a long list. */
const SLICE = 3;

/** Works through a list in short slices, with turns of the event loop for others in between; then completes. */
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
