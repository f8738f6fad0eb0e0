import {
  concat,
  concatMap,
  defer,
  EMPTY,
  filter,
  mergeMap,
  type Observable,
  of,
  type OperatorFunction,
  Subject,
  takeUntil,
} from 'rxjs';

/**
 * Like switchMap, but the former inner observables go on until a newer one has emitted for the first time: a reload
 * leaves no gap.
 */
export const switchMapWhenReady =
  <T, R>(project: (value: T) => Observable<R>): OperatorFunction<T, R> =>
  (value$) =>
    defer(() => {
      const led$ = new Subject<number>();
      return value$.pipe(
        mergeMap((value, index) => {
          const lead$ = defer(() => {
            led$.next(index);
            return EMPTY;
          });
          return project(value).pipe(
            concatMap((result, nth) => (nth === 0 ? concat(of(result), lead$) : of(result))),
            takeUntil(led$.pipe(filter((by) => by > index))),
          );
        }),
      );
    });
