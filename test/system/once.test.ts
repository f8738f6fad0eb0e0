import { describe, expect, it, vi } from 'vitest';

import { once, onceResolved } from '../../src/system/once.ts';

describe('once', () => {
  it('makes nothing before the first use, and the same for all', () => {
    const make = vi.fn(() => undefined);
    const made = once(make);
    expect(make).not.toHaveBeenCalled();
    expect([made(), made()]).toEqual([undefined, undefined]);
    expect(make).toHaveBeenCalledOnce();
  });

  it('tries again after an error', () => {
    const make = vi
      .fn(() => 1)
      .mockImplementationOnce(() => {
        throw new Error('not yet');
      });
    const made = once(make);
    expect(made).toThrow('not yet');
    expect([made(), made()]).toEqual([1, 1]);
    expect(make).toHaveBeenCalledTimes(2);
  });
});

describe('once resolved', () => {
  it('makes one promise for all, and another one after a rejection', async () => {
    const make = vi.fn(async () => 1).mockImplementationOnce(async () => Promise.reject(new Error('not yet')));
    const made = onceResolved(make);
    await expect(made()).rejects.toThrow('not yet');
    expect(await Promise.all([made(), made()])).toEqual([1, 1]);
    expect(make).toHaveBeenCalledTimes(2);
  });
});
