import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { document, metricsXml } from '../../../src/model/metrics-xml.ts';
import { parseHeader } from '../../../src/sinks/metrics-disk/format.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';
import { directories, documentOn, plain, start, watchedPwrite } from './harness.ts';

const { make, removeAll } = directories();
const EMPTY = '<metrics>\n</metrics>\n';
const one = snapshot(1, [sample('A', 'a'.repeat(300))]);
const two = snapshot(2, [sample('A', 'b'.repeat(200))]);
const xmlOf = (value: typeof one): string => document(metricsXml(value));
const newPath = (): string => join(make(), 'disk');

afterEach(removeAll);

describe('an update that fails', () => {
  it('FAULTS 41: at any write, once: the previous document is back at once, the next one goes out', () => {
    for (let failing = 0; failing < 5; failing += 1) {
      const path = newPath();
      let base = Infinity;
      const { calls, pwrite } = watchedPwrite((call) => call === base + failing);
      const disk = start({ path, pwrite, backoff: { first: 60_000, most: 60_000 } });
      disk.publish(one);
      base = calls.length;
      disk.publish(two);
      expect(disk.said('failed')).toEqual([`${path} cannot be written: EIO: i/o error, write`]);
      expect(plain(documentOn(path))).toBe(xmlOf(one));
      disk.publish(snapshot(3));
      expect(documentOn(path)).toContain('tick 3');
      disk.stop();
    }
  });

  it.each([
    ['the previous body', 'the empty document', (position: number, length: number) => position === 16 && length > 100],
    ['any body', 'no busy flag', (position: number) => position === 16],
  ])('FAULTS 41: if %s cannot be written either, leaves %s', (_, left, fails) => {
    const path = newPath();
    let failing = false;
    const disk = start({
      path,
      backoff: { first: 60_000, most: 60_000 },
      pwrite: (fd, bytes, offset, length, position) => {
        if (failing && fails(position, length)) throw new Error('EIO: i/o error, write');
        return writeSync(fd, bytes, offset, length, position);
      },
    });
    disk.publish(one);
    failing = true;
    disk.publish(two);
    expect(parseHeader(readFileSync(path)).busy).toBe(0);
    if (left === 'the empty document') expect(plain(documentOn(path))).toBe(EMPTY);
    failing = false;
    disk.publish(snapshot(3));
    expect(documentOn(path)).toContain('tick 3');
    disk.stop();
  });

  it('FAULTS 41: a disk that stays unwritable for a while is written when it can be, and failed is said once', () => {
    for (let from = 0; from < 8; from += 1) {
      const path = newPath();
      let [base, mended] = [Infinity, false];
      const { calls, pwrite } = watchedPwrite((call) => call >= base + from && !mended);
      const disk = start({ path, pwrite, backoff: { first: 60_000, most: 60_000 } });
      disk.publish(one);
      base = calls.length;
      disk.publish(two);
      disk.publish(snapshot(3));
      disk.publish(snapshot(4));
      expect(disk.said('failed')).toHaveLength(1);
      mended = true;
      disk.publish(snapshot(5));
      expect(documentOn(path)).toContain('tick 5');
      disk.stop();
    }
  });

  it('FAULTS 46: killed at any write, it is valid right after the restart', () => {
    for (let last = 0; last < 5; last += 1) {
      const path = newPath();
      let base = Infinity;
      const { calls, pwrite } = watchedPwrite((call) => call >= base + last);
      const killed = start({ path, pwrite, backoff: { first: 60_000, most: 60_000 } });
      killed.publish(one);
      base = calls.length;
      killed.publish(two);
      killed.stop();
      const again = start({ path });
      expect([EMPTY, xmlOf(one), xmlOf(two)]).toContain(plain(documentOn(path)));
      again.publish(two);
      expect(plain(documentOn(path))).toBe(xmlOf(two));
      again.stop();
    }
  });
});

describe('a file that others have changed', () => {
  it('FAULTS 43: deleted: it is created anew, with a warning', () => {
    const path = newPath();
    const disk = start({ path });
    disk.publish(one);
    rmSync(path);
    disk.publish(one);
    expect(plain(documentOn(path))).toBe(xmlOf(one));
    disk.publish(two);
    disk.stop();
    expect(plain(documentOn(path))).toBe(xmlOf(two));
    expect(disk.said('warning')).toEqual([
      `${path} was deleted or replaced, and has been made again. ` +
        'VMs that have the old file open see the new one when it is attached to them again',
    ]);
  });

  it('FAULTS 43: replaced by another file: that one is used, with a warning', () => {
    const path = newPath();
    const disk = start({ path });
    disk.publish(one);
    writeFileSync(`${path}.new`, '');
    renameSync(`${path}.new`, path);
    const { ino } = statSync(path);
    disk.publish(two);
    disk.stop();
    expect(statSync(path).ino).toBe(ino);
    expect(plain(documentOn(path))).toBe(xmlOf(two));
    expect(disk.said('warning')).toHaveLength(1);
  });

  it('FAULTS 43: replaced by something that is refused: failed until that is gone', () => {
    const path = newPath();
    const disk = start({ path, backoff: { first: 60_000, most: 60_000 } });
    disk.publish(one);
    rmSync(path);
    execFileSync('mkfifo', [path]);
    disk.publish(two);
    expect(disk.said('failed')[0]).toContain('is a fifo');
    rmSync(path);
    disk.publish(snapshot(3));
    disk.stop();
    expect(documentOn(path)).toContain('tick 3');
    expect(disk.said('warning')).toHaveLength(1);
  });

  it.each([0, 10, 1000])('FAULTS 44: cut to %d bytes: it is extended and written anew, with a warning', (length) => {
    const path = newPath();
    const disk = start({ path });
    disk.publish(one);
    truncateSync(path, length);
    disk.publish(one);
    disk.stop();
    expect(plain(documentOn(path))).toBe(xmlOf(one));
    expect(disk.said('warning')).toEqual([`${path} was truncated to ${length} bytes; it has been rewritten`]);
  });

  it('FAULTS 44: overwritten in place: it is written anew, with a warning', () => {
    const path = newPath();
    const disk = start({ path });
    disk.publish(one);
    execFileSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=64k', 'count=1', 'conv=notrunc', 'status=none']);
    disk.publish(one);
    disk.stop();
    expect(plain(documentOn(path))).toBe(xmlOf(one));
    expect(disk.said('warning')).toEqual([`${path} was changed by another program; it has been rewritten`]);
  });
});

describe('more metrics than fit', () => {
  it('FAULTS 48: the disk stays valid and new, says so once, and once that all fit again', () => {
    const path = newPath();
    const disk = start({ path });
    const domainMetrics = Array.from({ length: 500 }, (_, id) => ofDomain(id, sample('A', `value of ${id}`)));
    disk.publish(snapshot(1, [sample('H', 'first')], domainMetrics));
    disk.publish(snapshot(2, [sample('H', 'second')], domainMetrics));
    const xml = documentOn(path);
    expect(xml).toContain('<value>second</value>');
    expect(xml).toContain('<value>value of 0</value>');
    expect(xml).not.toContain('<value>value of 499</value>');
    const kept = xml.split('value of').length - 1;
    expect(disk.said('warning')).toEqual([
      `${path} is too small and holds 1 of 1 host metrics and ${kept} of 500 VMs only; raise the <size> of the disk`,
    ]);
    expect(disk.reports.at(-1)).toMatchObject({ kind: 'written', leftOut: 500 - kept });
    disk.publish(snapshot(3, [sample('H', 'third')], domainMetrics.slice(0, 10)));
    disk.publish(snapshot(4, [sample('H', 'fourth')], domainMetrics.slice(0, 10)));
    disk.stop();
    expect(disk.said('warning').slice(1)).toEqual([`${path} holds all metrics again`]);
    expect(documentOn(path)).toContain('<value>value of 9</value>');
  });
});
