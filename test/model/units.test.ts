import { expect, it } from 'vitest';

import { baseUnit } from '../../src/model/units.ts';

it.each([
  ['KiB', { base: 'bytes', factor: 1024 }],
  // As in /proc/meminfo.
  ['kB', { base: 'bytes', factor: 1024 }],
  [' ms\n', { base: 'seconds', factor: 0.001 }],
  ['%', { base: 'ratio', factor: 0.01 }],
  ['', undefined],
  ['furlongs', undefined],
])('the base unit of %j is known, whatever its case and the white space around it', (unit, base) => {
  expect(baseUnit(unit)).toEqual(base);
});
