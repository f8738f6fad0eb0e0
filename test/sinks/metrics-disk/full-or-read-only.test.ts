import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { document, metricsXml } from '../../../src/model/metrics-xml.ts';
import { CHUNK, parseHeader } from '../../../src/sinks/metrics-disk/format.ts';
import { sample, snapshot } from '../../../src/testing/snapshots.ts';
import { directories, documentOn, plain, start } from './harness.ts';
import { known, startPrivate, tick } from './private-harness.ts';
import { PATIENCE } from '../../support/patience.ts';

const { make, removeAll } = directories();
const one = snapshot(1, [sample('A', 'a'.repeat(300))]);
const two = snapshot(2, [sample('A', 'b'.repeat(200))]);
const xmlOf = (value: typeof one): string => document(metricsXml(value));

afterEach(removeAll);

/** Mounts a tmpfs for `work`; fails where mounting is not allowed, because the fault needs it. */
const withTmpfs = (parent: string, options: string, work: (directory: string) => void): void => {
  const directory = join(parent, 'mnt');
  mkdirSync(directory);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', directory]);
  try {
    work(directory);
  } finally {
    execFileSync('umount', [directory]);
  }
};

describe('a file system that is full or read-only', () => {
  it('FAULTS 39: full at the start: said when the disk is made, not later; another one stays valid', () => {
    withTmpfs(make(), 'size=192k', (directory) => {
      const path = join(directory, 'disk');
      const small = start({ path, size: CHUNK });
      small.publish(one);
      small.stop();
      const large = start({ path, size: 4 * CHUNK, backoff: { first: 60_000, most: 60_000 } });
      large.publish(two);
      large.stop();
      expect(large.said('opened')).toEqual([]);
      expect(large.said('failed')).toEqual([
        `${path} cannot be made 262144 bytes long: ENOSPC: no space left on device, write`,
      ]);
      expect(parseHeader(readFileSync(path)).busy).toBe(0);
      expect(readFileSync(path, 'latin1')).toContain("'host'>\n    <name>A</name>\n    <value>aaa");
    });
  });

  it('FAULTS 39: full while it runs: nothing fails, because all of the disk has its storage already', () => {
    withTmpfs(make(), 'size=256k', (directory) => {
      const path = join(directory, 'disk');
      const disk = start({ path, size: 2 * CHUNK });
      disk.publish(one);
      expect(() => writeFileSync(join(directory, 'filler'), Buffer.alloc(4 * CHUNK))).toThrow('ENOSPC');
      disk.publish(snapshot(3, [sample('A', 'c'.repeat(2 * CHUNK - 600))]));
      disk.stop();
      expect(disk.said('failed')).toEqual([]);
      expect(documentOn(path)).toContain('c'.repeat(2 * CHUNK - 600));
    });
  });

  it('FAULTS 40: read-only: said, the old document stays, and it goes on when it is writable again', async () => {
    const parent = make();
    const directory = join(parent, 'mnt');
    execFileSync('mkdir', [directory]);
    execFileSync('mount', ['-t', 'tmpfs', 'none', directory]);
    try {
      const path = join(directory, 'disk');
      const first = start({ path });
      first.publish(one);
      first.stop();
      execFileSync('mount', ['-o', 'remount,ro', directory]);
      const second = start({ path });
      second.publish(two);
      expect(second.said('failed')[0]).toContain('EROFS: read-only file system');
      expect(plain(documentOn(path))).toBe(xmlOf(one));
      execFileSync('mount', ['-o', 'remount,rw', directory]);
      await vi.waitFor(() => expect(second.said('written')).toHaveLength(1), 5000 * PATIENCE);
      second.stop();
      expect(plain(documentOn(path))).toBe(xmlOf(two));
    } finally {
      execFileSync('umount', [directory]);
    }
  });

  it('FAULTS 39: on a full file system: those that fit are kept, the others come when there is room', () => {
    withTmpfs(make(), 'size=192k', (folder) => {
      const disks = startPrivate(folder);
      const domains = [known(1), known(2), known(3), known(4)];
      for (const number of [1, 2]) disks.publish(tick(number, domains));
      expect(disks.said('written').at(-1)).toMatch(/^4 disks, 3 changed, \d+ bytes written, 1 failed$/);
      expect(disks.said('warning')).toHaveLength(1);
      expect(disks.said('warning')[0]).toContain('cannot be made 65536 bytes long: ENOSPC');
      for (const number of [3, 4, 5]) disks.publish(tick(number, domains.slice(1)));
      disks.stop();
      expect(disks.said('warning').at(-1)).toBe(`Private disk of "vm4": ${disks.pathOf(4)} has recovered`);
      for (const id of [2, 3, 4]) expect(documentOn(disks.pathOf(id))).toContain('tick 5');
    });
  });
});
