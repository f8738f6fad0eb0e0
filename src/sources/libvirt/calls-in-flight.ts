import { AsyncSubject, BehaviorSubject, defer, filter, finalize, type Observable, take } from 'rxjs';

/** Number of pending calls, and of calls that have returned since the connection was opened. */
export interface CallCounts {
  readonly onTheWay: number;
  readonly answered: number;
}

/** Pending calls of a connection. */
export interface CallsInFlight {
  /** Counts a call, which emits once, until it returns, even after unsubscription. */
  readonly counted: <T>(call$: Observable<T>) => Observable<T>;
  readonly counts: () => CallCounts;
  /** Emits once, when no call is pending. */
  readonly idle$: Observable<unknown>;
}

export const callsInFlight = (): CallsInFlight => {
  const counts$ = new BehaviorSubject<CallCounts>({ onTheWay: 0, answered: 0 });
  const change = (onTheWay: number, answered: number): void =>
    counts$.next({ onTheWay: counts$.value.onTheWay + onTheWay, answered: counts$.value.answered + answered });
  return {
    counted: <T>(call$: Observable<T>) =>
      defer(() => {
        // A subject of its own, because unsubscribing from the answer must not end the count.
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
