import { expect, it } from 'vitest';

import { exponent } from '../../bench/growth.ts';

it.each([
  ['a constant cost', [5, 5, 5], 0],
  ['a proportional one', [1, 10, 100], 1],
  ['a quadratic one', [2, 200, 20_000], 2],
  ['the square root', [3, 9.486_833, 30], 0.5],
])('the exponent of %s', (_what, costs, expected) => {
  expect(exponent([100, 1000, 10_000], costs)).toBeCloseTo(expected, 5);
});
