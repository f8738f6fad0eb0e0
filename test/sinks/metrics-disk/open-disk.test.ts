import { closeSync, openSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { uniqueSums } from '../../../src/sinks/metrics-disk/checksum-padding.ts';
import { openFile } from '../../../src/sinks/metrics-disk/disk-file.ts';
import { systemPwrite } from '../../../src/sinks/metrics-disk/disk-writer.ts';
import { CHUNK, parseHeader, sumOf, uint32BE } from '../../../src/sinks/metrics-disk/format.ts';
import { openDisk } from '../../../src/sinks/metrics-disk/open-disk.ts';
import type { Disk, DiskOptions } from '../../../src/sinks/metrics-disk/open-disk.ts';
import { ownUser } from '../../../src/system/process/privileges.ts';
import { openFiles } from '../../../src/testing/contract.ts';
import { directories, documentOn, plain } from './harness.ts';

const { make, removeAll } = directories();
const EMPTY = '<metrics>\n</metrics>\n';
const of = (text: string): string => `<metrics>\n${text}\n</metrics>\n`;
let path = '';
let disks: readonly Disk[] = [];
beforeEach(() => {
  path = join(make(), 'disk');
});
afterEach(() => {
  for (const disk of disks) disk.close();
  disks = [];
  removeAll();
});

const open = (options: Partial<DiskOptions> = {}, sums = uniqueSums()): Disk => {
  const disk = openDisk({ path, size: CHUNK, ...options }, sums);
  disks = [...disks, disk];
  return disk;
};
/** Closes all disks. */
const close = (): void => {
  for (const disk of disks) disk.close();
  disks = [];
};
/** Writes a disk with this content. */
const put = (content: string, header: Partial<ReturnType<typeof parseHeader>> = {}): void => {
  const bytes = Buffer.alloc(CHUNK);
  bytes.write(content, 16, 'latin1');
  const {
    signature = 0x6d766264,
    busy = 0,
    sum = sumOf(bytes, 16, 16 + content.length),
    length = content.length,
  } = header;
  uint32BE(signature, busy, sum, length).copy(bytes);
  writeFileSync(path, bytes);
};
/** Changes some bytes of the file in place, as another program does. */
const damage = (position: number, bytes: Buffer): void => {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
};

describe('what is on a disk that is opened', () => {
  it('is nothing in a new file, and then the empty document', () => {
    expect(open()).toMatchObject({ size: CHUNK, found: 'nothing' });
    expect(plain(documentOn(path))).toBe(EMPTY);
  });

  it('stays if it is a valid document, and its checksum is not used again', () => {
    put(of('A'));
    const before = readFileSync(path);
    const disk = open();
    expect(disk.found).toBe('a valid document');
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(disk.publish(['A\n']).changed).toBe(false);
    expect(disk.publish(['B\n']).changed).toBe(true);
    close();
    put(of('A'));
    const sums = uniqueSums();
    open({}, sums);
    const known = parseHeader(readFileSync(path)).sum;
    expect(sums.next(known).sum).not.toBe(known);
  });

  const longest = CHUNK - 24;
  it.each([
    ['of another signature', of('A'), { signature: 1 }],
    ['that is busy', of('A'), { busy: 1 }],
    ['of another checksum', of('A'), { sum: 1 }],
    ['of a length of the whole file', of('A'), { length: CHUNK }],
    ['one byte too long', of('A'.repeat(longest + 1 - of('').length)), {}],
    ['that is no document', 'A', {}],
  ])('is replaced by the empty document if it is one %s', (_what, content, header) => {
    put(content, header);
    expect(open().found).toBe('no valid document');
    expect(plain(documentOn(path))).toBe(EMPTY);
  });

  it('may be of the greatest length', () => {
    put(of('A'.repeat(longest - of('').length)));
    expect(open().found).toBe('a valid document');
  });

  it('is in the file that was opened before the privileges were dropped', () => {
    const file = openFile(path, 2 * CHUNK, ownUser(), systemPwrite);
    const disk = open({ opened: () => ({ ...file, taken: 'taken over' }) });
    expect(disk).toMatchObject({ size: 2 * CHUNK, found: 'nothing', taken: 'taken over' });
    close();
    expect(open({ opened: () => undefined })).not.toHaveProperty('taken');
  });

  it('leaves no file open if it cannot be replaced', () => {
    const before = openFiles();
    writeFileSync(path, Buffer.alloc(CHUNK));
    const pwrite = (): number => {
      throw new Error('EIO: i/o error, write');
    };
    expect(() => open({ pwrite })).toThrow(
      expect.objectContaining({
        message: `${path} cannot be written: EIO: i/o error, write`,
        cause: expect.objectContaining({ message: 'EIO: i/o error, write' }),
      }),
    );
    expect(openFiles().filter((file) => !before.includes(file))).toEqual([]);
  });
});

describe('a disk that is open', () => {
  it('is gone if its path names another file, or none', () => {
    const disk = open();
    expect(disk.gone()).toBe(false);
    writeFileSync(`${path}.new`, '');
    renameSync(`${path}.new`, path);
    expect(disk.gone()).toBe(true);
    rmSync(path);
    expect(disk.gone()).toBe(true);
  });

  it.each([
    ['its signature', 0, uint32BE(1)],
    ['its busy flag', 4, uint32BE(1)],
    ['its checksum', 8, uint32BE(1)],
    ['its length', 12, uint32BE(1)],
  ])('is repaired if another program changes %s', (_what, position, bytes) => {
    const disk = open();
    disk.publish(['A\n']);
    expect(disk.repair()).toBe(undefined);
    damage(position, bytes);
    expect(disk.repair()).toBe('was changed by another program');
    expect(disk.publish(['A\n'])).toEqual({ changed: true, bytes: documentOn(path).length });
    expect(plain(documentOn(path))).toBe(of('A'));
    expect(disk.repair()).toBe(undefined);
  });

  it('is repaired if it is truncated, and not if it is longer', () => {
    const disk = open();
    disk.publish(['A\n']);
    truncateSync(path, 2 * CHUNK);
    expect(disk.repair()).toBe(undefined);
    truncateSync(path, CHUNK - 1);
    expect(disk.repair()).toBe(`was truncated to ${CHUNK - 1} bytes`);
    expect(readFileSync(path)).toHaveLength(CHUNK);
    expect(disk.publish(['A\n']).changed).toBe(true);
    expect(plain(documentOn(path))).toBe(of('A'));
  });

  it('that cannot be repaired is an error with the reason', () => {
    let failing = false;
    const disk = open({
      pwrite: (...all) => {
        if (failing) throw new Error('ENOSPC: no space left on device, write');
        return systemPwrite(...all);
      },
    });
    truncateSync(path, 0);
    failing = true;
    expect(disk.repair).toThrow(`${path} cannot be written: ENOSPC: no space left on device, write`);
    failing = false;
    expect(disk.repair()).toBe('was truncated to 0 bytes');
    disk.publish(['A\n']);
    expect(plain(documentOn(path))).toBe(of('A'));
  });

  it('has the number of bytes of its document, changed or not', () => {
    const disk = open();
    const first = disk.publish(['A\n']);
    expect(first).toEqual({ changed: true, bytes: documentOn(path).length });
    expect(disk.publish(['A\n'])).toEqual({ changed: false, bytes: first.bytes });
  });

  it('keeps the former document if the next one fails, and the memory of neither changes it', () => {
    let failing = false;
    const disk = open({
      pwrite: (fd, bytes, offset, length, position) => {
        if (failing && Buffer.from(bytes).includes('C')) throw new Error('EIO: i/o error, write');
        return systemPwrite(fd, bytes, offset, length, position);
      },
    });
    for (const text of ['A', 'B']) disk.publish([`${text}\n`]);
    failing = true;
    for (let tries = 0; tries < 3; tries += 1) {
      expect(() => disk.publish(['C\n'])).toThrow(`${path} cannot be written: EIO`);
      expect(plain(documentOn(path))).toBe(of('B'));
    }
    expect(disk.publish(['B\n']).changed).toBe(false);
    failing = false;
    for (const text of ['C', 'D', 'E']) {
      disk.publish([`${text}\n`]);
      expect(plain(documentOn(path))).toBe(of(text));
    }
  });
});
