import { describe, expect, it } from 'vitest';

import { tokenBucket } from '../../../src/sinks/virtio-serial/token-bucket.ts';

describe('a token bucket', () => {
  it('starts full, fills with time up to its burst, and returns how long to wait', () => {
    let now = 1000;
    const bucket = tokenBucket(2, 4, () => now);
    expect(bucket.wait(4)).toBe(0);
    bucket.spend(4);
    expect(bucket.wait(1)).toBe(500);
    now += 250;
    expect(bucket.wait(1)).toBe(250);
    now += 250;
    expect(bucket.wait(1)).toBe(0);
    now += 1_000_000;
    bucket.spend(4);
    expect(bucket.wait(1)).toBe(500);
  });

  it('takes more than it has, and is paid back first', () => {
    let now = 0;
    const bucket = tokenBucket(10, 5, () => now);
    bucket.spend(25);
    expect(bucket.wait(1)).toBe(2100);
    now += 2100;
    expect(bucket.wait(1)).toBe(0);
  });
});
