import { concat, concatMap, defer, EMPTY, filter, map, mergeMap, type Observable, of, type OperatorFunction, Subject, takeUntil } from 'rxjs';

/**
 * Like switchMap, but the former inner observable goes on until the new one has emitted for the first time: a reload
 * leaves no gap.
 */
export const switchOver =
  <T, R>(project: (value: T) => Observable<R>): OperatorFunction<T, R> =>
  (value$) =>
    defer(() => {
      const led$ = new Subject<number>();
      return value$.pipe(
        mergeMap((value, index) =>
          project(value).pipe(
            map((result, nth) => ({ result, index, first: nth === 0 })),
            takeUntil(led$.pipe(filter((by) => by > index))),
          ),
        ),
        concatMap(({ result, index, first }) =>
          first
            ? concat(
                of(result),
                defer(() => {
                  led$.next(index);
                  return EMPTY;
                }),
              )
            : of(result),
        ),
      );
    });
