import { describe, expect, it } from 'vitest';

import { counted, duration, vmsText } from '../../src/model/duration.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('a duration', () => {
  it.each([
    [-5, '0.0 s'],
    [400, '0.4 s'],
    [9949, '9.9 s'],
    [9950, '10 s'],
    [12_400, '12 s'],
    [MINUTE - 501, '59 s'],
    [MINUTE - 500, '1 min'],
    [3 * MINUTE + 20 * SECOND, '3 min 20 s'],
    [HOUR, '1 h'],
    [HOUR + 59 * SECOND, '1 h'],
    [HOUR + MINUTE, '1 h 1 min'],
    [DAY, '1 d'],
    [2 * DAY + 4 * HOUR + 59 * MINUTE, '2 d 4 h'],
  ])('of %s ms has one unit, or two where the second is not 0: %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe('a count', () => {
  it('has its noun in the right number', () => {
    expect([0, 1, 2].map((count) => counted(count, 'VM'))).toEqual(['0 VMs', '1 VM', '2 VMs']);
  });

  it('of VMs names those that lack values, and values that are from before', () => {
    expect(vmsText(1, 2, false)).toBe('1 of 2 VMs with values');
    expect(vmsText(1, 2, true)).toBe('1 of 2 VMs with values');
    expect(vmsText(2, 2, false)).toBe('2 VMs');
    expect(vmsText(1, 1, true)).toBe('1 VM with values from before');
    expect(vmsText(0, 0, true)).toBe('0 VMs');
  });
});
