import { AsyncSubject, BehaviorSubject, defer, filter, finalize, type Observable, take } from 'rxjs';

/** How many calls have not come back, and how many have since the connection was opened. */
export interface CallCounts {
  readonly onTheWay: number;
  readonly answered: number;
}

/** The calls of a connection that have not come back. */
export interface CallsInFlight {
  /** Counts a call until it comes back, whether or not anyone still listens. It emits once. */
  readonly counted: <T>(call$: Observable<T>) => Observable<T>;
  readonly counts: () => CallCounts;
  /** Emits once, when no call is left. */
  readonly idle$: Observable<unknown>;
}

export const callsInFlight = (): CallsInFlight => {
  const counts$ = new BehaviorSubject<CallCounts>({ onTheWay: 0, answered: 0 });
  const change = (onTheWay: number, answered: number): void =>
    counts$.next({ onTheWay: counts$.value.onTheWay + onTheWay, answered: counts$.value.answered + answered });
  return {
    counted: <T>(call$: Observable<T>) =>
      defer(() => {
        // A subject of its own: unsubscribing from the answer takes no call back.
        const answer$ = new AsyncSubject<T>();
        change(1, 0);
        call$.pipe(finalize(() => change(-1, 1))).subscribe(answer$);
        return answer$;
      }),
    counts: () => counts$.value,
    idle$: counts$.pipe(
      filter(({ onTheWay }) => onTheWay === 0),
      take(1),
    ),
  };
};
