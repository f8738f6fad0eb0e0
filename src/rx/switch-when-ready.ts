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
 * Like `switchMap`, but earlier inner observables continue until a newer one emits a value for which `isReady` holds,
 * so that a reload leaves no gap. Values of the newer one before that pass, too.
 */
export const switchMapWhenReady =
  <T, R>(project: (value: T) => Observable<R>, isReady: (result: R) => boolean = () => true): OperatorFunction<T, R> =>
  (value$) =>
    defer(() => {
      const ready$ = new Subject<number>();
      return value$.pipe(
        mergeMap((value, index) => {
          const announce$ = defer(() => {
            ready$.next(index);
            return EMPTY;
          });
          return project(value).pipe(
            concatMap((result) => (isReady(result) ? concat(of(result), announce$) : of(result))),
            takeUntil(ready$.pipe(filter((by) => by > index))),
          );
        }),
      );
    });
