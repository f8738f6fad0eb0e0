import { catchError, concatMap, defer, EMPTY, Observable, of, ReplaySubject, Subject, tap, timeout } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

// Milliseconds after which a domain counts as frozen. An answer takes 1 ms.
const PATIENCE = 1000;

/** Asks; emits undefined if there is no answer in time. `overdue` is called if it is this question that hangs. */
export type Ask = <T>(question$: Observable<T>, overdue: () => void) => Observable<T | undefined>;

/**
 * Asks one question at a time, in the order of subscription, and none while one hangs: libvirtd answers 5 calls of a
 * client at a time, so that a few that hang would stop all others. A question that hangs goes on until its answer.
 */
export const oneAtATime = (scheduler: SchedulerLike): Ask => {
  const pending = new Set<symbol>();
  const turn$ = new Subject<Observable<unknown>>();
  turn$.pipe(concatMap((turn) => turn)).subscribe();

  const answer$ = <T>(question$: Observable<T>, overdue: () => void): Observable<T | undefined> => {
    if (pending.size > 0) return of(undefined);
    const call = Symbol('call');
    // A subject of its own, because unsubscribing from the answer does not end the call.
    const all$ = new ReplaySubject<T>();
    const ended = (): void => void pending.delete(call);
    pending.add(call);
    // Not by `finalize`, which comes after the next turn has begun.
    question$.pipe(tap({ complete: ended, error: ended })).subscribe(all$);
    const late$ = defer(() => {
      overdue();
      return of(undefined);
    });
    return all$.pipe(timeout({ first: PATIENCE, with: () => late$, scheduler }));
  };
  return (question$, overdue) =>
    new Observable((subscriber) =>
      turn$.next(
        defer(() => (subscriber.closed ? EMPTY : answer$(question$, overdue))).pipe(
          tap(subscriber),
          catchError(() => EMPTY),
        ),
      ),
    );
};
