import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import type { KnownDomain } from '../../../src/model/metric.ts';
import { ofDomain, sample } from '../../../src/testing/snapshots.ts';
import { directories, documentOn } from './harness.ts';
import { change, known, startPrivate, tick, uuidOf } from './private-harness.ts';

const { make, removeAll } = directories();

afterEach(removeAll);

const obstacles: readonly (readonly [string, (path: string) => void, RegExp])[] = [
  ['a symbolic link', (path) => symlinkSync(`${path}.target`, path), /is a symbolic link, .* remove it, or name/],
  ['a directory', (path) => mkdirSync(path), /is a directory, .* remove it, or name another <path>/],
  ['a fifo', (path) => void execFileSync('mkfifo', [path]), /is a fifo, .* remove it, or name another <path>/],
  [
    'a hard link',
    (path) => {
      writeFileSync(`${path}.other`, 'precious');
      linkSync(`${path}.other`, path);
    },
    /has 2 hard links, .* remove it, or name another <path>/,
  ],
];

describe('a private disk that cannot be had', () => {
  it.each(obstacles)(
    'FAULTS 42: %s: is told once, spoils no other, and works when that is gone',
    (_, obstruct, why) => {
      const folder = make();
      const disks = startPrivate(folder);
      obstruct(disks.pathOf(1));
      const domains = [known(1), known(2)];
      for (const number of [1, 2, 3]) disks.publish(tick(number, domains));
      expect(documentOn(disks.pathOf(2))).toContain('tick 3');
      expect(disks.said('warning')).toHaveLength(1);
      expect(disks.said('warning')[0]).toContain(`Private disk of "vm1": ${disks.pathOf(1)} `);
      expect(disks.said('warning')[0]).toMatch(why);
      expect(disks.said('failed')).toEqual([]);
      expect(disks.said('written').at(-1)).toMatch(/^2 disks, 1 changed, \d+ bytes written, 1 failed$/);
      expect(existsSync(`${disks.pathOf(1)}.target`)).toBe(false);
      rmSync(disks.pathOf(1), { recursive: true });
      disks.publish(change(tick(3, domains)));
      expect(existsSync(disks.pathOf(1))).toBe(false);
      for (const number of [4, 5]) disks.publish(tick(number, domains));
      disks.stop();
      expect(documentOn(disks.pathOf(1))).toContain('tick 5');
      expect(disks.said('warning').slice(1)).toEqual([`Private disk of "vm1": ${disks.pathOf(1)} has recovered`]);
    },
  );

  it('FAULTS 42: what stood in its place is still there when the domain has gone', () => {
    const folder = make();
    const disks = startPrivate(folder);
    symlinkSync(join(folder, 'target'), disks.pathOf(1));
    for (const number of [1, 2, 3]) disks.publish(tick(number, number === 1 ? [known(1)] : []));
    disks.stop();
    expect(readdirSync(folder)).toEqual([`${uuidOf(1)}.disk`]);
  });

  it('FAULTS 45: in use by another daemon: is left to that one', () => {
    const folder = make();
    const first = startPrivate(folder);
    first.publish(tick(1, [known(1)]));
    const second = startPrivate(folder);
    second.publish(tick(2, [known(1), known(2)]));
    expect(second.said('warning')[0]).toContain('is already in use by another vhostmd');
    expect(documentOn(first.pathOf(1))).toContain('tick 1');
    expect(documentOn(first.pathOf(2))).toContain('tick 2');
    second.publish(tick(3, []));
    second.publish(tick(4, []));
    expect(documentOn(first.pathOf(1))).toContain('tick 1');
    first.stop();
    second.stop();
  });

  it('FAULTS 41: an update that fails leaves the document before, and is tried again at the next tick', () => {
    const folder = make();
    let failing = false;
    const disks = startPrivate(folder, {
      pwrite: (fd, bytes, offset, length, position) => {
        if (failing && Buffer.from(bytes).includes('second')) throw new Error('EIO: i/o error, write');
        return writeSync(fd, bytes, offset, length, position);
      },
    });
    const at = (number: number, value: string) =>
      tick(number, [known(1), known(2)], [ofDomain(1, sample('Own', value))], [sample('H', '1')]);
    disks.publish(at(1, 'first'));
    failing = true;
    for (const number of [2, 3]) disks.publish(at(number, 'second'));
    expect(documentOn(disks.pathOf(1))).toContain('first');
    expect(disks.said('warning')).toEqual([
      `Private disk of "vm1": ${disks.pathOf(1)} cannot be written: EIO: i/o error, write`,
    ]);
    failing = false;
    disks.publish(at(4, 'second'));
    disks.stop();
    expect(documentOn(disks.pathOf(1))).toContain('second');
  });

  it('FAULTS 43, 44: deleted, or written to by others: is mended with a warning', () => {
    const disks = startPrivate(make());
    const domains = [known(1), known(2), known(3)];
    disks.publish(tick(1, domains));
    rmSync(disks.pathOf(1));
    writeFileSync(disks.pathOf(2), 'x'.repeat(100));
    disks.publish(tick(2, domains));
    disks.stop();
    for (const id of [1, 2, 3]) expect(documentOn(disks.pathOf(id))).toContain('tick 2');
    expect(disks.said('warning')).toHaveLength(2);
    expect(disks.said('warning')[0]).toContain('was deleted or replaced, and has been made again');
    expect(disks.said('warning')[1]).toContain('was truncated to 100 bytes; it has been rewritten');
  });

  it('FAULTS 30: its domain has a hostile name, which is escaped and cut', () => {
    const disks = startPrivate(make());
    mkdirSync(disks.pathOf(1));
    disks.publish(tick(1, [known(1, { name: `evil\n\u001b[31m${'x'.repeat(1000)}` })]));
    disks.stop();
    expect(disks.said('warning')[0]).toMatch(/^Private disk of "evil\\n\\u\{1b\}\[31mx+\.\.\.": /);
    expect(disks.said('warning')[0]?.length).toBeLessThan(400);
  });

  it.each(['../../../etc/passwd', '', 'UUID', uuidOf(1).toUpperCase(), `${uuidOf(1)}/x`, `${uuidOf(1)}\n`])(
    'FAULTS 30: its domain has a UUID that is none (%j): it gets none, which is told once',
    (uuid) => {
      const folder = join(make(), 'disks');
      const disks = startPrivate(folder);
      const domains: readonly KnownDomain[] = [{ uuid, name: 'x', persistent: true }, known(2)];
      disks.publish(tick(1, domains));
      disks.publish(tick(2, [...domains]));
      disks.stop();
      expect(readdirSync(folder)).toEqual([`${uuidOf(2)}.disk`]);
      expect(readdirSync(join(folder, '..'))).toEqual(['disks']);
      expect(disks.said('warning')).toHaveLength(1);
      expect(disks.said('warning')[0]).toContain('is no UUID, so this domain gets no private disk');
    },
  );

  it('shares its trouble with hundreds: the log is not flooded', () => {
    const disks = startPrivate(make());
    const domains = Array.from({ length: 40 }, (_, id) => known(id));
    for (const { id } of domains) mkdirSync(disks.pathOf(id ?? 0));
    disks.publish(tick(1, domains));
    disks.stop();
    expect(disks.said('warning')).toHaveLength(11);
    expect(disks.said('warning').at(-1)).toBe('30 more warnings about private disks at the same time');
  });
});

describe('disks that no domain needs', () => {
  const OLD = Date.now() / 1000 - 3600;
  const disk = Buffer.alloc(65_536, Buffer.from('mvbd'));
  /** Writes a file that looks like a disk of the domain, last written an hour ago; returns its path. */
  const put = (folder: string, id: number, content: Buffer | string = disk, mtime = OLD): string => {
    const path = join(folder, `${uuidOf(id)}.disk`);
    writeFileSync(path, content);
    utimesSync(path, mtime, mtime);
    return path;
  };

  it('are removed when libvirt has been reached, but only metrics disks, and none that may be of a VM that is starting', () => {
    const folder = make();
    const disks = startPrivate(folder);
    const [old, young, foreign] = [put(folder, 1), put(folder, 2, disk, Date.now() / 1000), put(folder, 3, 'precious')];
    const linked = put(folder, 4);
    linkSync(linked, join(folder, 'second name'));
    const link = join(folder, `${uuidOf(5)}.disk`);
    symlinkSync(linked, link);
    const other = join(folder, 'no-uuid.disk');
    writeFileSync(other, disk);
    utimesSync(other, OLD, OLD);
    disks.publish(tick(1, undefined));
    expect(existsSync(old)).toBe(true);
    disks.publish(tick(2, [known(9)]));
    disks.stop();
    expect(existsSync(old)).toBe(false);
    for (const kept of [young, foreign, linked, link, other]) expect(existsSync(kept)).toBe(true);
    expect(disks.said('written').at(-1)).toContain(', 1 removed');
  });

  it('and that were taken over at the opening are removed when they have not been needed for minutes', () => {
    const folder = make();
    const first = startPrivate(folder);
    first.publish(tick(1, [known(1), known(2)]));
    first.stop();
    utimesSync(first.pathOf(1), OLD, OLD);
    const second = startPrivate(folder);
    for (const number of [2, 3, 4]) second.publish(tick(number, []));
    expect(existsSync(second.pathOf(1))).toBe(false);
    // No update has touched it, so it gets old.
    expect(documentOn(second.pathOf(2))).toContain('tick 1');
    utimesSync(second.pathOf(2), OLD, OLD);
    second.publish(tick(40, []));
    second.stop();
    expect(existsSync(second.pathOf(2))).toBe(false);
  });

  it('are looked for at ticks once a minute', () => {
    const folder = make();
    const disks = startPrivate(folder);
    disks.publish(tick(1, []));
    const stray = put(folder, 1);
    disks.publish(tick(12, []));
    disks.publish(change(tick(12, []), 100_000));
    expect(existsSync(stray)).toBe(true);
    disks.publish(tick(15, []));
    disks.stop();
    expect(existsSync(stray)).toBe(false);
  });

  it('stay where another daemon keeps them', () => {
    const [folder, OTHER] = [make(), 7];
    const other = startPrivate(folder);
    other.publish(tick(1, [known(OTHER)]));
    utimesSync(other.pathOf(OTHER), OLD, OLD);
    const disks = startPrivate(folder);
    disks.publish(tick(1, []));
    disks.stop();
    other.stop();
    expect(documentOn(other.pathOf(OTHER))).toContain('tick 1');
    expect(readFileSync(other.pathOf(OTHER))).toHaveLength(65_536);
  });
});
