import { defer, expand, map, type Observable, of, type SchedulerLike, timer } from 'rxjs';

/**
 * Numbers the points of a fixed grid, starting with 0 at once. Ticks that could not be kept (the process was
 * stopped) are skipped, not made up for. `scheduler.now` must be monotonic: wall-clock jumps change nothing.
 */
export const tick$ = (period: number, scheduler: SchedulerLike): Observable<number> =>
  defer(() => {
    const origin = scheduler.now();
    const elapsed = (): number => (scheduler.now() - origin) / period;
    return of(0).pipe(
      expand((tick) => {
        const next = Math.max(tick + 1, Math.ceil(elapsed()));
        return timer(Math.max(0, origin + next * period - scheduler.now()), scheduler).pipe(
          map(() => Math.max(next, Math.floor(elapsed()))),
        );
      }),
    );
  });
