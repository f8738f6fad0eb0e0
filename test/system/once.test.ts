import { describe, expect, it, vi } from 'vitest';

import { once } from '../../src/system/once.ts';

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
