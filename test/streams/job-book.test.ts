import { describe, expect, it } from 'vitest';

import { jobBook } from '../../src/streams/job-book.ts';

const answered = (...jobs: readonly string[]) => ({ answered: jobs, ended: jobs });

describe('The book of jobs', () => {
  it('starts no job that still runs, and again one that has ended', () => {
    const book = jobBook();
    const { start, finish } = book.begin();
    expect([start('host/1'), start('host/1')]).toEqual([true, false]);
    expect(book.begin().start('host/1')).toBe(false);
    finish({ answered: ['host/1'], ended: [] }, true);
    expect(book.begin().start('host/1')).toBe(false);
    finish(answered('host/1'), true);
    expect(book.begin().start('host/1')).toBe(true);
  });

  it('is whole when every job has answered', () => {
    const { start, finish, isWhole } = jobBook().begin();
    expect(isWhole()).toBe(true);
    start('host/1');
    start('host/2');
    finish(answered('host/1'), true);
    expect(isWhole()).toBe(false);
    finish(answered('host/2'), true);
    expect(isWhole()).toBe(true);
  });

  it('waits no more for a job that overran, until it is prompt again', () => {
    const book = jobBook();
    const first = book.begin();
    first.start('host/1');
    first.giveUp();
    expect(first.isWhole()).toBe(true);
    expect(book.isSlow('host/1')).toBe(true);
    first.finish(answered('host/1'), false);
    const second = book.begin();
    second.start('host/1');
    expect(second.isWhole()).toBe(true);
    second.finish(answered('host/1'), true);
    expect(book.isSlow('host/1')).toBe(false);
    const third = book.begin();
    third.start('host/1');
    expect(third.isWhole()).toBe(false);
  });

  it('waits for no domain that has gone, and forgets that it was slow', () => {
    const book = jobBook();
    const { start, giveUp, drop, isWhole } = book.begin();
    start('a 1/0');
    start('b 2/0');
    drop(new Set(['a 1']));
    expect(isWhole()).toBe(false);
    giveUp();
    expect([book.isSlow('a 1/0'), book.isSlow('b 2/0')]).toEqual([false, true]);
    book.drop(new Set(['b 2']));
    expect(book.isSlow('b 2/0')).toBe(false);
  });
});
