import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { isMetricsDisk, isStale, removeOrphan } from '../../../src/sinks/metrics-disk/orphans.ts';
import { tryLock } from '../../../src/system/libc.ts';
import { openFiles } from '../../../src/testing/contract.ts';
import { directories } from './harness.ts';

const { make, removeAll } = directories();
let path = '';
beforeEach(() => {
  path = join(make(), 'disk');
});
afterEach(removeAll);

/** Sets the time of the last write, in milliseconds before now. */
const age = (milliseconds: number): void => {
  const at = (Date.now() - milliseconds) / 1000;
  utimesSync(path, at, at);
};
const MINUTE = 60_000;
const OLD = 6 * MINUTE;

describe('a metrics disk', () => {
  it.each([
    ['with the signature only', 'mvbd', true],
    ['with more behind it', 'mvbd and more', true],
    ['with less than the signature', 'mvb', false],
    ['with another signature', 'dbvm', false],
  ])('is a file %s: %s is %s', (_what, content, isDisk) => {
    writeFileSync(path, content);
    expect(isMetricsDisk(path)).toBe(isDisk);
  });

  it('has one name only', () => {
    writeFileSync(path, 'mvbd');
    linkSync(path, `${path}.other`);
    expect(isMetricsDisk(path)).toBe(false);
  });

  it.each([
    ['nothing', () => undefined],
    ['a folder', () => mkdirSync(path)],
    ['a fifo, which could make the reader wait', () => execFileSync('mkfifo', [path])],
    [
      'a link to one',
      () => {
        writeFileSync(`${path}.target`, 'mvbd');
        symlinkSync(`${path}.target`, path);
      },
    ],
  ])('is not %s', (_what, put) => {
    put();
    expect(isMetricsDisk(path)).toBe(false);
    expect(removeOrphan(path)).toBe(false);
  });

  it('is not a fifo that has the signature', () => {
    execFileSync('mkfifo', [path]);
    const fd = openSync(path, 'r+');
    writeSync(fd, 'mvbd');
    expect(isMetricsDisk(path)).toBe(false);
    closeSync(fd);
  });
});

describe('a stale disk', () => {
  it('has not been written for five minutes, or is missing', () => {
    expect(isStale(path)).toBe(true);
    writeFileSync(path, '');
    expect(isStale(path)).toBe(false);
    utimesSync(path, 1000, 1000);
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 + 5 * MINUTE });
    expect(isStale(path)).toBe(false);
    vi.setSystemTime(1_000_001 + 5 * MINUTE);
    expect(isStale(path)).toBe(true);
    vi.useRealTimers();
  });

  it('is removed, and closed', () => {
    writeFileSync(path, 'mvbd');
    age(OLD);
    const before = openFiles();
    expect(removeOrphan(path)).toBe(true);
    expect(openFiles().filter((file) => !before.includes(file))).toEqual([]);
    expect(existsSync(path)).toBe(false);
    expect(removeOrphan(path)).toBe(false);
  });

  it('stays if it is no metrics disk, if it is young, or while somebody has it locked', () => {
    writeFileSync(path, 'precious');
    age(OLD);
    expect(removeOrphan(path)).toBe(false);
    writeFileSync(path, 'mvbd');
    expect(removeOrphan(path)).toBe(false);
    age(OLD);
    const fd = openSync(path, 'r');
    expect(tryLock(fd)).toBe(true);
    expect(removeOrphan(path)).toBe(false);
    expect(existsSync(path)).toBe(true);
    closeSync(fd);
    expect(removeOrphan(path)).toBe(true);
  });
});
