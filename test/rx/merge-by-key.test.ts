import { concat, finalize, NEVER, of, Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';

import { mergeByKey } from '../../src/rx/merge-by-key.ts';

/** Returns what happens to the inner observables of lists such as `a b`, in order. */
const happens = (...lists: readonly string[]): readonly string[] => {
  const seen: string[] = [];
  const list$ = new Subject<readonly string[]>();
  const running = list$
    .pipe(
      mergeByKey(
        (key) => key,
        (key) => concat(of(`${key} begins`), NEVER).pipe(finalize(() => seen.push(`${key} ends`))),
      ),
    )
    .subscribe((value) => seen.push(value));
  for (const list of lists) list$.next(list === '' ? [] : list.split(' '));
  seen.push('over');
  running.unsubscribe();
  return seen;
};

describe('mergeByKey', () => {
  it('ends removed keys before it begins new ones, whatever their order', () => {
    expect(happens('a b', 'c b')).toEqual(['a begins', 'b begins', 'a ends', 'c begins', 'over', 'b ends', 'c ends']);
    expect(happens('a b', 'b c').indexOf('a ends')).toBeLessThan(happens('a b', 'b c').indexOf('c begins'));
  });

  it('begins a key again that was gone', () => {
    expect(happens('a', '', 'a')).toEqual(['a begins', 'a ends', 'a begins', 'over', 'a ends']);
  });

  it('runs a key that stands twice in a list once', () => {
    expect(happens('a a', 'a')).toEqual(['a begins', 'over', 'a ends']);
  });

  it('does not begin one again that has completed while its key stays', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, hot, expectObservable }) => {
      const list$ = hot('x--x--|', { x: ['a'] });
      const merged$ = list$.pipe(
        mergeByKey(
          (key) => key,
          () => cold('-1|'),
        ),
      );
      expectObservable(merged$).toBe('-1----|');
    });
  });

  it('goes on after the last list until all have completed, and passes an error on', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, hot, expectObservable }) => {
      const of$ = (inner: string) =>
        hot('x|', { x: ['a'] }).pipe(
          mergeByKey(
            (key) => key,
            () => cold(inner),
          ),
        );
      expectObservable(of$('---1|')).toBe('---1|');
      expectObservable(of$('---#')).toBe('---#');
    });
  });

  it('takes a list that comes while it works on another', () => {
    const seen: string[] = [];
    const list$ = new Subject<readonly string[]>();
    list$
      .pipe(
        mergeByKey(
          (key) => key,
          (key) => concat(of(key), NEVER).pipe(finalize(() => seen.push(`${key} ends`))),
        ),
      )
      .subscribe((key) => {
        seen.push(key);
        if (key === 'a') list$.next(['b']);
      });
    list$.next(['a']);
    expect(seen).toEqual(['a', 'a ends', 'b']);
  });
});
