import { expect, it } from 'vitest';

import { formatCount } from '../../src/model/count.ts';

it('a count has a comma before each three digits', () => {
  const counts = [0, 7, 999, 1000, 65_536, 999_999, 1_000_000, 12_345_678, -1000, Number.MAX_SAFE_INTEGER];
  for (const count of counts) expect(formatCount(count)).toBe(count.toLocaleString('en-US'));
});
