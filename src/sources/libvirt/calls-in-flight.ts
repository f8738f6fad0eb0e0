import { AsyncSubject, BehaviorSubject, defer, filter, finalize, type Observable, take } from 'rxjs';

/** The calls of a connection that have not come back. */
export interface CallsInFlight {
  /** Counts a call until it comes back, whether or not anyone still listens. It emits once. */
  readonly counted: <T>(call$: Observable<T>) => Observable<T>;
  /** Emits once, when no call is left. */
  readonly idle$: Observable<unknown>;
}

export const callsInFlight = (): CallsInFlight => {
  const count$ = new BehaviorSubject(0);
  return {
    counted: <T>(call$: Observable<T>) =>
      defer(() => {
        // A subject of its own: unsubscribing from the answer takes no call back.
        const answer$ = new AsyncSubject<T>();
        count$.next(count$.value + 1);
        call$.pipe(finalize(() => count$.next(count$.value - 1))).subscribe(answer$);
        return answer$;
      }),
    idle$: count$.pipe(
      filter((count) => count === 0),
      take(1),
    ),
  };
};
