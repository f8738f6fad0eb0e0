import { closeSync, openSync, readdirSync } from 'node:fs';

import { afterEach, describe, expect, it } from 'vitest';

import { descriptorLots } from '../../../src/sources/contention/descriptor-lots.ts';
import { limitDescriptors } from '../../support/descriptor-limit.ts';

// Without that of the folder itself.
const inUse = (): number => readdirSync('/proc/self/fd').length - 1;

let opened: number[] = [];
const open = (count: number): void => {
  for (let at = 0; at < count; at += 1) opened.push(openSync('/dev/null', 'r'));
};
const close = (count: number): void => opened.splice(0, count).forEach((fd) => closeSync(fd));
let restore = (): void => undefined;
afterEach(() => {
  restore();
  close(opened.length);
  opened = [];
});

describe('Lots of descriptors', () => {
  it('leave 32 to the rest of the daemon, to the last one', () => {
    const lots = descriptorLots();
    const most = inUse() + 32 + 400;
    restore = limitDescriptors(most);
    let left = most;
    expect(() => {
      for (;;) {
        lots.take(3);
        open(3);
        left = most - inUse();
      }
    }).toThrow(/EMFILE/);
    expect(left).toBeGreaterThanOrEqual(32);
    expect(left).toBeLessThan(32 + 3);
  });

  it('are counted anew after others may have opened files', () => {
    const lots = descriptorLots();
    restore = limitDescriptors(inUse() + 32 + 400);
    lots.take(1);
    open(400);
    lots.renew();
    expect(() => lots.take(1)).toThrow(/EMFILE/);
    close(400);
    lots.take(1);
  });
});
