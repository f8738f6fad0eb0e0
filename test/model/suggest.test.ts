import { describe, expect, it } from 'vitest';

import { didYouMean, editDistance, nearest, quote } from '../../src/model/suggest.ts';

describe('the distance of two words', () => {
  it.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['', 'abc', 3],
    ['abc', '', 3],
    ['abc', 'abx', 1],
    ['abc', 'ab', 1],
    ['abc', 'xabc', 1],
    ['abc', 'acb', 1],
    ['abc', 'bac', 1],
    ['abcd', 'badc', 2],
    ['ca', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['flaw', 'lawn', 2],
    ['abab', 'baba', 2],
    ['aa', 'a', 1],
  ])('%j and %j is %s: letters that differ, are too many or too few, or are swapped', (one, other, distance) => {
    expect(editDistance(one, other)).toBe(distance);
    expect(editDistance(other, one)).toBe(distance);
  });
});

describe('a suggestion', () => {
  it('is the nearest candidate, whatever its case', () => {
    expect(nearest('HOTS', ['vm', 'Host', 'hostname'])).toBe('Host');
    expect(nearest('memori', ['memory', 'memo'])).toBe('memory');
    expect(nearest('memori', ['memo', 'memory'])).toBe('memory');
    expect(nearest('x', [])).toBeUndefined();
  });

  it('differs in one letter, or in a third of the letters of the longer word', () => {
    expect(nearest('ab', ['xb'])).toBe('xb');
    expect(nearest('ab', ['xy'])).toBeUndefined();
    expect(nearest('abcdef', ['abcdxy'])).toBe('abcdxy');
    expect(nearest('abcdef', ['abcxyz'])).toBeUndefined();
    expect(nearest('abcde', ['abcdexyz'])).toBeUndefined();
    expect(nearest('abcdef', ['abcdefxyz'])).toBe('abcdefxyz');
    expect(nearest('abcdefxyz', ['abcdef'])).toBe('abcdef');
  });

  it('is not looked for where the text is too long to be a mistake in writing', () => {
    expect(nearest('a'.repeat(200), ['a'.repeat(199)])).toBe('a'.repeat(199));
    expect(nearest('a'.repeat(201), ['a'.repeat(200)])).toBeUndefined();
  });

  it('is a question behind the message, or nothing', () => {
    expect(didYouMean('hots', ['host'])).toBe('; did you mean "host"?');
    expect(didYouMean('hots', ['host'], (name) => `<${name}>`)).toBe('; did you mean <host>?');
    expect(didYouMean('hots', ['vm'])).toBe('');
  });
});

describe('a quoted text', () => {
  it('is one line without characters that change how a terminal shows it', () => {
    expect(quote('a"b\n')).toBe('"a\\"b\\n"');
    expect(quote('\u007f\u009b\u200e\u202e\u2066')).toBe('"\\u007f\\u009b\\u200e\\u202e\\u2066"');
    expect(quote('\u00e4~')).toBe('"\u00e4~"');
  });

  it('is cut', () => {
    expect(quote('x'.repeat(60))).toBe(`"${'x'.repeat(60)}"`);
    expect(quote('x'.repeat(61))).toBe(`"${'x'.repeat(60)}..."`);
    expect(quote('xyz', 2)).toBe('"xy..."');
  });
});
