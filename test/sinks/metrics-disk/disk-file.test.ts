import { closeSync, ftruncateSync, linkSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { allocate, DiskInUse, openFile } from '../../../src/sinks/metrics-disk/disk-file.ts';
import { systemPwrite } from '../../../src/sinks/metrics-disk/disk-writer.ts';
import { CHUNK } from '../../../src/sinks/metrics-disk/format.ts';
import { ownUser } from '../../../src/system/process/privileges.ts';
import { openFiles } from '../../../src/testing/contract.ts';
import { directories, watchedPwrite } from './harness.ts';

const { make, removeAll } = directories();
let path = '';
beforeEach(() => {
  path = join(make(), 'disk');
});
afterEach(removeAll);

const open = (size: number, pwrite = systemPwrite, at = path) => openFile(path, size, ownUser(), pwrite, at);

describe('the file of a disk', () => {
  it('is new, or the one that is there, and has its identity and whole chunks', () => {
    const { fd, ...first } = open(CHUNK + 1);
    closeSync(fd);
    const { dev, ino, size } = statSync(path);
    expect(first).toEqual({ created: true, dev, ino, size });
    expect(size).toBe(2 * CHUNK);
    const { fd: again, ...second } = open(1);
    closeSync(again);
    expect(second).toEqual({ ...first, created: false });
  });

  it('that has its size and its storage is not written to', () => {
    closeSync(open(2 * CHUNK).fd);
    const { calls, pwrite } = watchedPwrite();
    closeSync(open(2 * CHUNK, pwrite).fd);
    expect(calls).toEqual([]);
  });

  it('gets storage where it has none, and keeps its content', () => {
    writeFileSync(path, 'x');
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, 3 * CHUNK);
    allocate(systemPwrite, fd, 4 * CHUNK);
    closeSync(fd);
    const { size, blocks } = statSync(path);
    expect(size).toBe(4 * CHUNK);
    expect(blocks * 512).toBeGreaterThanOrEqual(4 * CHUNK);
    expect(readFileSync(path).equals(Buffer.concat([Buffer.from('x'), Buffer.alloc(4 * CHUNK - 1)]))).toBe(true);
  });

  it('on a full file system is an error with the size and the reason', () => {
    const { pwrite } = watchedPwrite(() => true);
    expect(() => open(CHUNK + 1, pwrite)).toThrow(
      expect.objectContaining({
        message: `${path} cannot be made 131072 bytes long: EIO: i/o error, write`,
        cause: expect.objectContaining({ message: 'EIO: i/o error, write' }),
      }),
    );
  });

  it('that somebody else makes at the same moment is not touched', () => {
    writeFileSync(path, 'precious');
    expect(() => open(CHUNK, systemPwrite, `${path}.none`)).toThrow(
      expect.objectContaining({
        message: `${path} was replaced while it was being opened (EEXIST)`,
        cause: expect.objectContaining({ code: 'EEXIST' }),
      }),
    );
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('is open once, and only if it can be used', () => {
    const before = openFiles();
    const left = (): readonly string[] => openFiles().filter((file) => !before.includes(file));
    const { fd } = open(CHUNK);
    expect(left()).toEqual([`${fd} ${path}`]);
    expect(() => open(CHUNK)).toThrow(DiskInUse);
    linkSync(path, `${path}.other`);
    expect(() => open(CHUNK)).toThrow('has 2 hard links');
    expect(left()).toEqual([`${fd} ${path}`]);
    closeSync(fd);
  });
});
