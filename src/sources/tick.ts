import { defer, expand, map, type Observable, of, type SchedulerLike, timer } from 'rxjs';

/**
 * Emits the numbers of the points of a fixed grid, starting with 0 at once. Missed ticks (the process was stopped) are
 * skipped. `scheduler.now` must be monotonic, so that jumps of the wall clock have no effect.
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
