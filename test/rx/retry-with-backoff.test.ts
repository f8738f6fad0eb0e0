import { defer, EMPTY, of, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';

import { type RetryOptions, retryWithBackoff, waitOf } from '../../src/rx/retry-with-backoff.ts';

/**
 * The n-th try is the n-th of `tries`, all later ones are the last. One dash is 1 ms; `end` is when it is unsubscribed.
 */
const run = (
  tries: readonly string[],
  options: Omit<RetryOptions<string, string>, 'scheduler'>,
  expected: string,
  end = '------------------------------!',
): void => {
  const scheduler = new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted));
  scheduler.run(({ cold, expectObservable }) => {
    let nth = 0;
    const source$ = defer(() => cold(tries[Math.min(nth++, tries.length - 1)] ?? '#'));
    expectObservable(source$.pipe(retryWithBackoff({ ...options, scheduler })), end).toBe(expected);
  });
};
const BACKOFF = { first: 2, most: 8 };
const report = (error: unknown) => of(error === 'error' ? 'x' : String(error));

describe('retryWithBackoff', () => {
  it('waits twice as long after each failure, up to the longest wait, and reports before it waits', () => {
    //  at once, after 2, 4, 8, 8
    run(['#'], { backoff: BACKOFF, report }, 'x-x---x-------x-------x-------');
  });

  it('emits nothing and never fails without `report`', () => {
    run(['#', '--1'], { backoff: BACKOFF }, '----1');
  });

  it('goes on growing while a try has values, but none after which all is well', () => {
    run(['1#'], { backoff: BACKOFF, report }, '1x-1x---1x-------1x-------1x');
  });

  it('starts anew after a value that is well', () => {
    run(
      ['1#', '1#', '2#', '#'],
      { backoff: BACKOFF, report, isWell: (value) => value === '2' },
      '1x-1x---2x-x---x-------x',
    );
  });

  it('starts anew when a try has lasted after its last value', () => {
    run(['1-#', '1--#', '#'], { backoff: BACKOFF, report, stableAfter: 3 }, '1-x-1--x-x---x-------x-------x');
  });

  it('does not take an older value for one of a try that had none', () => {
    run(['1--#', '---#'], { backoff: BACKOFF, report, stableAfter: 3 }, '1--x----x------x----------x---');
  });

  it('starts anew after a value that is well only when the try has lasted, if both are asked for', () => {
    const isWell = (value: string) => value === '2';
    run(
      ['2-#', '2-#', '1--#', '2--#', '#'],
      { backoff: BACKOFF, report, isWell, stableAfter: 3 },
      '2-x-2-x---1--x-------2--x-x---',
    );
  });

  it('may wait differently after different failures', () => {
    run(
      ['(#|)', '#', '#'],
      { backoff: (error) => ({ first: 2, most: error === 'error' ? 4 : 8 }), report },
      'x-x---x---x---x---x---x---x---',
    );
  });

  it('does not wait any longer when there is a reason to try sooner', () => {
    run(['#'], { backoff: { first: 6, most: 6 }, report, sooner$: () => timer(2) }, 'x-x-x-x-', '-------!');
    run(['#'], { backoff: { first: 3, most: 3 }, report, sooner$: () => EMPTY }, 'x--x--x-', '-------!');
  });

  it('completes with its source', () => {
    run(['#', '-1|'], { backoff: BACKOFF }, '---1|');
  });

  it('has no wait beyond the longest, whatever the number of failures', () => {
    expect([0, 1, 2, 3, 2000].map((failures) => waitOf({ first: 100, most: 500 }, failures))).toEqual([
      100, 200, 400, 500, 500,
    ]);
  });
});
