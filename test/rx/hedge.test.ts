import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';

import { hedge } from '../../src/rx/hedge.ts';

/** Runs hedge with a dash of 1 ms; it asks `other` after 3 ms. */
const run = (first: string, other: string, expected: string): void => {
  const scheduler = new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted));
  scheduler.run(({ cold, expectObservable }) => {
    expectObservable(cold(first).pipe(hedge(3, cold(other), scheduler))).toBe(expected);
  });
};

describe('hedge', () => {
  it('asks only once where the answer comes in time', () => {
    run('--(a|)', '-(b|)', '--(a|)');
  });

  it('asks another one after a while, and waits for both', () => {
    run('------(a|)', '-(b|)', '----b-(a|)');
  });

  it('asks another one only once', () => {
    run('---------(a|)', '-|', '---------(a|)');
  });

  it('fails with the first one', () => {
    run('-----#', '-----b', '-----#');
  });
});
