import { describe, expect, it } from 'vitest';

import { wrapped } from '../../../src/cli/why/wrapped.ts';

describe('A line that is wider than the terminal', () => {
  it('is broken between words, and indented two columns more', () => {
    expect(wrapped('  one two three four five', 12)).toEqual(['  one two', '    three', '    four', '    five']);
    expect(wrapped('one two', 7)).toEqual(['one two']);
    expect(wrapped('one two', 6)).toEqual(['one', '  two']);
  });

  it('is broken within a word that is too long', () => {
    expect(wrapped('abcdefghij', 4)).toEqual(['abcd', '  ef', '  gh', '  ij']);
  });

  it('keeps each character but the spaces at a break, and fits', () => {
    const line = `  ${'x'.repeat(30)} y  z ${'words and more words '.repeat(9)}`;
    for (let width = 6; width < 240; width++) {
      const rows = wrapped(line, width);
      expect(rows.join('').replaceAll(' ', '')).toBe(line.replaceAll(' ', ''));
      for (const row of rows) expect(row.length).toBeLessThanOrEqual(width);
    }
    expect(wrapped('  a b', 4)).toEqual(['  a b']);
  });
});
