import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';

import { outcome$ } from '../../../src/sources/action/outcome.ts';
import type { Failure, Printed } from '../../../src/sources/action/results.ts';

const printed: Printed = { ok: true, output: '12' };
const failure = (reason: string): Failure => ({ ok: false, stage: 'run', reason });
const late = failure('not finished after 1 s; killed');

const run = (gone: string, ending: string, expected: string): void => {
  const scheduler = new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted));
  scheduler.run(({ hot, expectObservable }) => {
    const outcomes$ = outcome$(hot<Printed>(gone, { p: printed }), hot<Failure>(ending, { l: late }));
    const unended = failure('not finished after 1 s; killed, but it has not ended');
    expectObservable(outcomes$).toBe(expected, { p: printed, l: late, u: unended });
  });
};

describe('The outcome of a run', () => {
  it('is its output, when it has ended', () => {
    run('--p', '--------', '--(p|)');
  });

  it('is why it was ended, when it is gone', () => {
    run('---p', '-l--', '---(l|)');
  });

  it('is that it does not end, 1.5 s after it was to end, whatever comes later', () => {
    run('- 2s p', '-(l|)', '- 1500ms (u|)');
  });
});
