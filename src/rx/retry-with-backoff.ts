import { catchError, concat, defer, EMPTY, type Observable, retry, tap, throwError, timer } from 'rxjs';
import type { OperatorFunction, SchedulerLike } from 'rxjs';

/** Waits between tries, in milliseconds: `first`, then doubling up to `most`. */
export interface Backoff {
  readonly first: number;
  readonly most: number;
}

/** How long to wait after so many failures in a row, of which the first is number 0. */
export const waitOf = ({ first, most }: Backoff, failures: number): number => Math.min(first * 2 ** failures, most);

export interface RetryOptions<T, R> {
  readonly scheduler: SchedulerLike;
  readonly backoff: Backoff;
  /** What comes out before the wait. */
  readonly report?: (error: unknown) => Observable<R>;
  /** Values after which the waits start anew. Default: none. */
  readonly isWell?: (value: T) => boolean;
  /** Milliseconds: when a try goes on for so long after its last value, the waits start anew. Default: never. */
  readonly stableAfter?: number;
}

/** Subscribes again when the source fails, after waits that grow. It never fails itself. */
export const retryWithBackoff =
  <T, R = never>({
    scheduler,
    backoff,
    report = () => EMPTY,
    isWell = () => false,
    stableAfter = Infinity,
  }: RetryOptions<T, R>): OperatorFunction<T, T | R> =>
  (source$) =>
    defer(() => {
      // Of this subscription, and across its tries: no operator carries state over a retry.
      let failures = 0;
      let valueAt = Infinity;
      const noted = (value: T): void => {
        valueAt = scheduler.now();
        if (isWell(value)) failures = 0;
      };
      const failed = (error: unknown): Observable<R> => {
        if (scheduler.now() - valueAt >= stableAfter) failures = 0;
        valueAt = Infinity;
        return concat(
          report(error),
          throwError(() => error),
        );
      };
      return source$.pipe(
        tap(noted),
        catchError(failed),
        retry({ delay: () => timer(waitOf(backoff, failures++), scheduler) }),
      );
    });
