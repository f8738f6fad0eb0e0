import { expect, it } from 'vitest';

import { until } from './support/daemon.ts';
import { loadOf, PATIENCE, slowness } from './support/patience.ts';

it('CASE A8: deadlines are longer the more a machine has to do, and never shorter', () => {
  expect(slowness(0.2, 2)).toBe(1);
  expect(slowness(12, 2)).toBe(6);
  expect(slowness(400, 2)).toBe(10);
  expect(PATIENCE).toBeGreaterThanOrEqual(1);
});

it('CASE A8: a machine that has just become busy is busy', () => {
  expect(loadOf('0.42 0.20 0.10 9/273 5139\n')).toBe(9);
  expect(loadOf('11.32 9.27 6.81 2/273 5139\n')).toBe(11.32);
});

it('CASE A8: what waits for a state takes that into account', async () => {
  await expect(until('nothing', () => false, 100)).rejects.toThrow(
    `not within ${(100 * PATIENCE).toFixed()} ms: nothing`,
  );
});
