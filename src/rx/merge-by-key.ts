import { concatMap, connect, filter, map, merge, mergeMap, pairwise, startWith, takeUntil } from 'rxjs';
import type { Observable, OperatorFunction } from 'rxjs';

interface Step<T> {
  /** Keys that are no longer in the list. */
  readonly ended: ReadonlySet<string>;
  readonly begun: readonly (readonly [key: string, item: T])[];
}

const without = <T>(items: ReadonlyMap<string, T>, others: ReadonlyMap<string, T>): readonly (readonly [string, T])[] =>
  [...items].filter(([key]) => !others.has(key));

/**
 * Merges one inner observable for each key of the newest list. A key that stays in the list keeps its observable.
 * Observables of removed keys end before those of new keys begin, because both may use the same target.
 */
export const mergeByKey =
  <T, R>(keyOf: (item: T) => string, project: (item: T) => Observable<R>): OperatorFunction<readonly T[], R> =>
  (list$) =>
    list$.pipe(
      map((items): ReadonlyMap<string, T> => new Map(items.map((item) => [keyOf(item), item]))),
      startWith<ReadonlyMap<string, T>>(new Map()),
      pairwise(),
      concatMap(([before, now]): readonly Step<T>[] => [
        { ended: new Set(without(before, now).map(([key]) => key)), begun: [] },
        { ended: new Set(), begun: without(now, before) },
      ]),
      connect((step$) => {
        const end$ = (key: string): Observable<unknown> => step$.pipe(filter(({ ended }) => ended.has(key)));
        return step$.pipe(
          mergeMap(({ begun }) => merge(...begun.map(([key, item]) => project(item).pipe(takeUntil(end$(key)))))),
        );
      }),
    );
