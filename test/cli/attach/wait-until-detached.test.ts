import { defer, NEVER, of } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';

import { waitUntilDetached$ } from '../../../src/cli/attach/wait-until-detached.ts';

const run = (test: (scheduler: TestScheduler) => void): void => {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  scheduler.run(() => test(scheduler));
};

const leavingAt = (scheduler: TestScheduler, time: number) => defer(() => of(scheduler.now() < time));

describe('the wait for a device to leave', () => {
  it.each([
    ['at once', 0, '(t|)'],
    ['at the next look', 1, '250ms (t|)'],
    ['late', 4600, '4750ms (t|)'],
    ['never', Infinity, '5s (f|)'],
  ])('ends when it has left, or after 5 s: %s', (_when, time, marbles) => {
    run((scheduler) => {
      scheduler
        .expectObservable(waitUntilDetached$(leavingAt(scheduler, time), scheduler))
        .toBe(marbles, { t: true, f: false });
    });
  });

  it('ends also if libvirt does not answer', () => {
    run((scheduler) => {
      scheduler.expectObservable(waitUntilDetached$(NEVER, scheduler)).toBe('5s (f|)', { f: false });
    });
  });
});
