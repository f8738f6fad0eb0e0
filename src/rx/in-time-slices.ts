import { EMPTY, expand, map, mergeMap, of, timer } from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

/** Milliseconds of work before the event loop gets a turn. */
const SLICE_MS = 3;

interface Slice<T, R> {
  readonly results: readonly R[];
  readonly rest: readonly T[];
}

const sliceOf = <T, R>(items: readonly T[], project: (item: T) => R, scheduler: SchedulerLike): Slice<T, R> => {
  const end = scheduler.now() + SLICE_MS;
  const results: R[] = [];
  for (const item of items) {
    results.push(project(item));
    if (scheduler.now() >= end) break;
  }
  return { results, rest: items.slice(results.length) };
};

/** Projects each item in slices of 3 ms with turns of the event loop in between, and emits the results. */
export const inTimeSlices$ = <T, R>(
  items: readonly T[],
  project: (item: T) => R,
  scheduler: SchedulerLike,
): Observable<R> =>
  of(items).pipe(
    map((all) => sliceOf(all, project, scheduler)),
    expand(({ rest }) =>
      rest.length === 0 ? EMPTY : timer(0, scheduler).pipe(map(() => sliceOf(rest, project, scheduler))),
    ),
    mergeMap(({ results }) => results),
  );
