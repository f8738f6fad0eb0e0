import { describe, expect, it } from 'vitest';

import { PADDING_MOST, uniqueSums } from '../../../src/sinks/metrics-disk/checksum-padding.ts';
import type { Padding } from '../../../src/sinks/metrics-disk/checksum-padding.ts';

describe('the unique sum', () => {
  it('adds nothing to the first document', () => {
    expect(uniqueSums().next(1000)).toEqual({ front: 0, spaces: 0, tabs: 0, sum: 1000 });
  });

  it('differs from each of the last 4,096, however often the same content comes, with at most 180 bytes', () => {
    const sums = uniqueSums();
    const last = new Map<number, number>();
    let longest = 0;
    for (let round = 0; round < 6000; round += 1) {
      const { front, spaces, tabs, sum } = sums.next(1000);
      expect(sum).toBe(1000 - 23 * front + 32 * spaces + 9 * tabs);
      expect(round - (last.get(sum) ?? -Infinity)).toBeGreaterThan(4096);
      longest = Math.max(longest, spaces + tabs);
      last.set(sum, round);
    }
    expect(longest).toBeLessThanOrEqual(PADDING_MOST);
    expect(longest).toBeGreaterThan(100);
  });

  it('always finds white space, whatever fronts and contents alternate', () => {
    const sums = uniqueSums();
    for (let round = 0; round < 6000; round += 1) {
      const { spaces, tabs } = sums.next(9000 + (round % 7) * 23 - (round % 3) * 9);
      expect(spaces + tabs).toBeLessThanOrEqual(PADDING_MOST);
    }
  });

  it('comes of white space that differs at both ends from that of the document before', () => {
    const sums = uniqueSums();
    let before: Padding = { front: -1, spaces: -1, tabs: -1, sum: 0 };
    const ends: string[] = [];
    for (let round = 0; round < 5000; round += 1) {
      const padding = sums.next(round % 3 === 0 ? 5000 : 5000 + round);
      expect(padding.front).not.toBe(before.front);
      // A reader that pauses over some updates must not find the same end again.
      expect(ends.slice(-1024)).not.toContain(`${padding.spaces} ${padding.tabs}`);
      ends.push(`${padding.spaces} ${padding.tabs}`);
      before = padding;
    }
  });

  it('wraps at 2^32 like the sum of the readers', () => {
    const sums = uniqueSums();
    sums.seen(2 ** 32 - 1);
    expect(sums.next(2 ** 32 - 1)).toEqual({ front: 0, spaces: 1, tabs: 0, sum: 31 });
  });
});
