import { defer, EMPTY, exhaustMap, type Observable, of, type OperatorFunction, repeat, tap } from 'rxjs';

/**
 * Like `exhaustMap`, but keeps the newest value that arrives while an inner observable runs, and projects it when that
 * one completes. For a sink without {@link deliverLatest}: at most one write runs, at most one snapshot waits. Errors
 * of the source and of inner observables pass on; completion waits for the value that was kept.
 *
 * @example
 * ```ts
 * import { defer, map } from 'rxjs';
 * import { exhaustMapLatest, type Sink, type Snapshot } from 'vhostmd';
 *
 * export const post = (url: string): Sink => {
 *   const post$ = (snapshot: Snapshot) =>
 *     defer(() => fetch(url, { method: 'POST', body: JSON.stringify(snapshot.host) })).pipe(
 *       map(() => ({ kind: 'written', snapshot, message: `Posted to ${url}` }) as const),
 *     );
 *   return { name: 'post', run: (snapshot$) => snapshot$.pipe(exhaustMapLatest(post$)) };
 * };
 * ```
 */
export const exhaustMapLatest =
  <T, R>(project: (value: T) => Observable<R>): OperatorFunction<T, R> =>
  (value$) =>
    defer(() => {
      // Values come while the inner observable runs, which takes the newest when it completes: two streams share it.
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
