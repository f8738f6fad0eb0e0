import { type Observable, of } from 'rxjs';

import { reasonOf } from '../../../src/model/reason.ts';
import { retryWithBackoff } from '../../../src/rx/retry-with-backoff.ts';
import type { Stage } from '../../../src/testing/marbles/stage.ts';

/**
 * `> retryWithBackoff`: each of `tries` is a run; its values and its failure are on `values`. `backoff = first most`
 * and `stable` in ms; the value `well` resets the waits.
 */
export const retryWithBackoffSubject = (on: Stage): Observable<unknown> => {
  const [first = 1000, most = 30_000] = (on.parameter('backoff') ?? '').split(' ').map(Number);
  const well = on.parameter('well');
  const value$ = on.run$('tries', String).pipe(
    retryWithBackoff({
      scheduler: on.scheduler,
      backoff: { first, most },
      report: (error) => of(`failed: ${reasonOf(error)}`),
      ...(well === undefined ? {} : { isWell: (value: string) => value === well }),
      stableAfter: Number(on.parameter('stable') ?? 0),
    }),
  );
  return on.watch$('values', value$, String);
};
