import { finalize } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';

import { switchMapWhenReady } from '../../src/rx/switch-when-ready.ts';

/** Runs `value$` through switchMapWhenReady; each letter is the name of an inner observable. */
const run = (
  value: string,
  inner: Readonly<Record<string, string>>,
  expected: string,
  subscriptions: Readonly<Record<string, string>>,
): void => {
  new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(
    ({ hot, cold, expectObservable, expectSubscriptions }) => {
      const inner$ = new Map(Object.entries(inner).map(([name, marbles]) => [name, cold(marbles)]));
      const result$ = hot(value).pipe(switchMapWhenReady((name) => inner$.get(name) ?? cold('#')));
      expectObservable(result$).toBe(expected);
      for (const [name, marbles] of Object.entries(subscriptions)) {
        expectSubscriptions(inner$.get(name)?.subscriptions ?? []).toBe(marbles);
      }
    },
  );
};

describe('switchMapWhenReady', () => {
  it('lets the former go on until the new one has emitted, so that there is no gap', () => {
    run(
      'a----b--------', //
      { a: '1-1-1-1-1-1-1-', b: '----2-2-2-' },
      '1-1-1-1-12-2-2', // a's last value is at 8, b's first at 9
      { a: '^--------!', b: '-----^' },
    );
  });

  it('emits the first value of the new one before it tears the former down', () => {
    const said: string[] = [];
    new TestScheduler(() => undefined).run(({ hot, cold, flush }) => {
      hot('a-b')
        .pipe(
          switchMapWhenReady((name) =>
            cold(`-${name}-${name}-${name}`).pipe(finalize(() => said.push(`end of ${name}`))),
          ),
        )
        .subscribe((value) => said.push(value));
      flush();
    });
    expect(said.slice(0, 4)).toEqual(['a', 'a', 'b', 'end of a']);
  });

  it('ends all that are older than the first that emits, whether they have emitted or not', () => {
    run(
      'a-b-c--------', //
      { a: '1-1-1-1-1-1-1', b: '--------2---', c: '---3---3' },
      '1-1-1-13---3', //
      { a: '^------!', b: '--^----!', c: '----^' },
    );
  });

  it('keeps a newer one that has not emitted yet when an older one takes over', () => {
    run(
      'a-b-c--------', //
      { a: '1-1-1-1-1-1-1', b: '---2--2--2', c: '--------3' },
      '1-1-12--2--23', //
      { a: '^----!', b: '--^---------!', c: '----^' },
    );
  });

  it('passes values of one project on as they come, and completes with the last', () => {
    run('a|', { a: '1-2-3|' }, '1-2-3|', { a: '^----!' });
  });

  it('emits the values of a newer one before it is ready, and lets the former go on until then', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(
      ({ hot, cold, expectObservable, expectSubscriptions }) => {
        const a$ = cold('1-1-1-1-1-1-1');
        const b$ = cold('-x-x-2');
        const isReady = (value: string): boolean => value !== 'x';
        const result$ = hot('a-b').pipe(switchMapWhenReady((name) => (name === 'a' ? a$ : b$), isReady));
        expectObservable(result$).toBe('1-1x1x12');
        expectSubscriptions(a$.subscriptions).toBe('^------!');
      },
    );
  });

  it('ends all when it is unsubscribed', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(
      ({ hot, cold, expectObservable, expectSubscriptions }) => {
        const a$ = cold('1-1-1-1-1-1');
        const b$ = cold('---------2');
        const result$ = hot('a-b').pipe(switchMapWhenReady((name) => (name === 'a' ? a$ : b$)));
        expectObservable(result$, '-----!').toBe('1-1-1');
        expectSubscriptions(a$.subscriptions).toBe('^----!');
        expectSubscriptions(b$.subscriptions).toBe('--^--!');
      },
    );
  });
});
