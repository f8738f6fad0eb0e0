import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { descriptorLots } from '../../../src/sources/contention/descriptor-lots.ts';

const limit = (soft: number): void => void execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft}:`]);
// Without that of the folder itself.
const inUse = (): number => readdirSync('/proc/self/fd').length - 1;

let opened: number[] = [];
const open = (count: number): void => {
  for (let at = 0; at < count; at += 1) opened.push(openSync('/dev/null', 'r'));
};
const close = (count: number): void => opened.splice(0, count).forEach((fd) => closeSync(fd));
let soft = 0;
beforeEach(() => {
  soft = Number(
    /^Max open files\s+(\d+)/m.exec(execFileSync('cat', [`/proc/${process.pid}/limits`], { encoding: 'utf8' }))?.[1],
  );
});
afterEach(() => {
  limit(soft);
  close(opened.length);
  opened = [];
});

describe('Lots of descriptors', () => {
  it('leave 32 to the rest of the daemon, to the last one', () => {
    const lots = descriptorLots();
    const most = inUse() + 32 + 400;
    limit(most);
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
    limit(inUse() + 32 + 400);
    lots.take(1);
    open(400);
    lots.renew();
    expect(() => lots.take(1)).toThrow(/EMFILE/);
    close(400);
    lots.take(1);
  });
});
