import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { bars, bytes, compact, percent, printable } from '../../../src/cli/watch/format.ts';

describe('numbers', () => {
  it.each([
    [0, '0'],
    [0.25, '0.25'],
    [9.999, '10.0'],
    [12.345, '12.3'],
    [1234.5, '1235'],
    [99_999, '99999'],
    [99_999.7, '100k'],
    [123_456, '123k'],
    [1_234_567, '1.23M'],
    [1e20, '1e+20'],
    [undefined, '-'],
    [Number.NaN, '-'],
    [Number.POSITIVE_INFINITY, '-'],
  ])('%s is %s', (value, text) => {
    expect(compact(value)).toBe(text);
  });

  it.each([
    [0, '0'],
    [1023, '1023'],
    [1024, '1.00K'],
    [1000 * 1024, '0.98M'],
    [2 * 1024 ** 3, '2.00G'],
    [1.5 * 1024 ** 4, '1.50T'],
    [undefined, '-'],
  ])('%s bytes are %s', (value, text) => {
    expect(bytes(value)).toBe(text);
  });

  it.each([
    [0, '0.0'],
    [99.96, '100.0'],
    [999.94, '999.9'],
    [999.96, '1000'],
    [123_456.7, '123k'],
    [undefined, '-'],
  ])('%s %% are %s', (value, text) => {
    expect(percent(value)).toBe(text);
  });

  it('that are not negative always fit five cells', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2 ** 69, noNaN: true }), (value) => {
        expect(compact(value).length).toBeLessThanOrEqual(5);
        expect(bytes(value).length).toBeLessThanOrEqual(5);
        expect(percent(value).length).toBeLessThanOrEqual(5);
      }),
    );
  });
});

describe('bars', () => {
  it('stand at the right, the newest last, and oldest ones are cut off', () => {
    expect(bars([0, 50, 100], 100, 5, true)).toBe('  ▁▅█');
    expect(bars([0, 50, 100], 100, 2, true)).toBe('▅█');
    expect(bars([0, 50, 100, 400, -1], 100, 5, false)).toBe('_=##_');
    expect(bars([1, 2], 100, 0, true)).toBe('');
  });
});

describe('text', () => {
  it('is printable ASCII of at most that many cells', () => {
    expect(printable('web1', 8, true)).toBe('web1');
    expect(printable('webserver1', 8, true)).toBe('webserv…');
    expect(printable('webserver1', 8, false)).toBe('webserv~');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(40), (text, width) => {
        expect(printable(text, width, false)).toMatch(new RegExp(`^[ -~]{0,${width}}$`));
      }),
    );
  });
});
