import {
  connect,
  merge,
  type MonoTypeOperatorFunction,
  type Observable,
  type SchedulerLike,
  switchMap,
  takeUntil,
  timer,
} from 'rxjs';

/** Asks `other$` as well if there is no answer for `after` milliseconds. Emits the answers of both. */
export const hedge = <T>(after: number, other$: Observable<T>, scheduler: SchedulerLike): MonoTypeOperatorFunction<T> =>
  connect((answer$) =>
    merge(
      answer$,
      timer(after, scheduler).pipe(
        takeUntil(answer$),
        switchMap(() => other$),
      ),
    ),
  );
