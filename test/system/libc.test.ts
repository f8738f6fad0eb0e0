import { execFileSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { clockTicks, pageSize } from '../../src/system/libc.ts';

const getconf = (name: string): number => Number(execFileSync('getconf', [name], { encoding: 'utf8' }));

describe("the machine's constants", () => {
  it('CASE B9: are those of getconf', () => {
    expect(pageSize()).toBe(getconf('PAGESIZE'));
    expect(clockTicks()).toBe(getconf('CLK_TCK'));
  });

  it('CASE B9: are known to a process that has given root up', () => {
    const library = new URL('../../.cache/modules/system/libc.js', import.meta.url).href;
    const script = `
      const { clockTicks, pageSize } = await import(${JSON.stringify(library)});
      const ticks = clockTicks();
      if (process.getuid() === 0) { process.setgroups([]); process.setgid(65534); process.setuid(65534); }
      console.log(JSON.stringify([process.getuid(), pageSize(), ticks]));`;
    const [uid, ...constants] = JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }),
    ) as readonly number[];
    expect(uid).not.toBe(0);
    expect(constants).toEqual([getconf('PAGESIZE'), getconf('CLK_TCK')]);
  });
});
