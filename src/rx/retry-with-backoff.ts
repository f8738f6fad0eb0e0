import { catchError, concat, defer, EMPTY, type Observable, retry, tap, throwError, timer } from 'rxjs';
import type { OperatorFunction, SchedulerLike } from 'rxjs';

/** Waits between tries, in milliseconds: `first`, then doubling up to `most`. */
export interface Backoff {
  readonly first: number;
  readonly most: number;
}

/** Milliseconds to wait before the next try. `failures`: earlier consecutive failures, 0 after the first. */
export const waitOf = ({ first, most }: Backoff, failures: number): number => Math.min(first * 2 ** failures, most);

export interface RetryOptions<T, R> {
  readonly scheduler: SchedulerLike;
  readonly backoff: Backoff;
  /** Emitted before the wait. Default: nothing. */
  readonly report?: (error: unknown) => Observable<R>;
  /** Values that reset the waits. Default: none. */
  readonly isWell?: (value: T) => boolean;
  /** Milliseconds from the last value of a try to its failure that reset the waits. Default: never. */
  readonly stableAfter?: number;
}

/** Resubscribes to a source that fails, after exponentially growing waits. Never errors. */
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
      // State of one subscription across its tries, which no operator carries over a retry.
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
