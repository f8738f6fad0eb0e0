import { catchError, concat, defer, EMPTY, merge, type Observable, retry, tap, throwError, timer } from 'rxjs';
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
  /** Waits after every failure, or by failure. */
  readonly backoff: Backoff | ((error: unknown) => Backoff);
  /** Emitted before the wait. Default: nothing. */
  readonly report?: (error: unknown) => Observable<R>;
  /** Values that reset the waits. Default: all with `stableAfter`, none without. */
  readonly isWell?: (value: T) => boolean;
  /** Milliseconds that a try must last after such a value to reset the waits. Default: 0. */
  readonly stableAfter?: number;
  /** Ends the wait early when it emits. Default: never. */
  readonly sooner$?: (error: unknown) => Observable<unknown>;
}

/** Resubscribes to a source that fails, after exponentially growing waits. Never errors. */
export const retryWithBackoff =
  <T, R = never>({
    scheduler,
    backoff,
    report = () => EMPTY,
    stableAfter = 0,
    isWell = () => stableAfter > 0,
    sooner$ = () => EMPTY,
  }: RetryOptions<T, R>): OperatorFunction<T, T | R> =>
  (source$) => {
    const waitAfter = (error: unknown, failures: number): number =>
      waitOf(typeof backoff === 'function' ? backoff(error) : backoff, failures);
    return defer(() => {
      // State of one subscription across its tries, which no operator carries over a retry.
      let failures = 0;
      let wellAt = Infinity;
      const noted = (value: T): void => {
        if (isWell(value)) wellAt = scheduler.now();
      };
      const failed = (error: unknown): Observable<R> => {
        if (scheduler.now() - wellAt >= stableAfter) failures = 0;
        wellAt = Infinity;
        return concat(
          report(error),
          throwError(() => error),
        );
      };
      return source$.pipe(
        tap(noted),
        catchError(failed),
        retry({ delay: (error) => merge(timer(waitAfter(error, failures++), scheduler), sooner$(error)) }),
      );
    });
  };
