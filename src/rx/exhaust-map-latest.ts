import { defer, EMPTY, exhaustMap, type Observable, of, type OperatorFunction, repeat, tap } from 'rxjs';

/** Like exhaustMap, but of the values that arrive during an inner observable the newest is taken when it completes. */
export const exhaustMapLatest =
  <T, R>(project: (value: T) => Observable<R>): OperatorFunction<T, R> =>
  (value$) =>
    defer(() => {
      let waiting: { readonly value: T } | undefined;
      const newest$ = defer(() => {
        const taken = waiting;
        waiting = undefined;
        return taken === undefined ? EMPTY : project(taken.value);
      });
      return value$.pipe(
        tap((value) => {
          waiting = { value };
        }),
        exhaustMap(() => newest$.pipe(repeat({ delay: () => (waiting === undefined ? EMPTY : of(true)) }))),
      );
    });
