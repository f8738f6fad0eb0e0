import { describe, expect, it } from 'vitest';

import { PADDING_MOST, uniqueSums } from '../../../src/sinks/metrics-disk/unique-sum.ts';

describe('the unique sum', () => {
  it('adds nothing to a sum that is new', () => {
    expect(uniqueSums().padding(1000)).toEqual({ spaces: 0, tabs: 0, sum: 1000 });
  });

  it('differs from each of the last 4,096, however often the same content comes, with at most 144 bytes', () => {
    const sums = uniqueSums();
    const used: number[] = [];
    let longest = 0;
    for (let round = 0; round < 10_000; round += 1) {
      const { spaces, tabs, sum } = sums.padding(1000);
      expect(sum).toBe(1000 + 32 * spaces + 9 * tabs);
      longest = Math.max(longest, spaces + tabs);
      sums.add(sum);
      used.push(sum);
    }
    used.forEach((sum, index) => {
      const before = used.lastIndexOf(sum, index - 1);
      if (index > 0 && before >= 0) expect(index - before).toBeGreaterThan(4096);
    });
    expect(longest).toBeLessThanOrEqual(PADDING_MOST);
    expect(longest).toBeGreaterThan(100);
  });

  it('wraps at 2^32 like the sum of the readers', () => {
    const sums = uniqueSums();
    sums.add(2 ** 32 - 1);
    expect(sums.padding(2 ** 32 - 1)).toEqual({ spaces: 1, tabs: 0, sum: 31 });
  });
});
