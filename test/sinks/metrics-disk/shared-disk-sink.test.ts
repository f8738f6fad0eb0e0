import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { document, metricsXml } from '../../../src/model/metrics-xml.ts';
import { metricsDisk } from '../../../src/sinks/metrics-disk/shared-disk-sink.ts';
import { CHUNK, sumOf } from '../../../src/sinks/metrics-disk/format.ts';
import { PADDING_MOST } from '../../../src/sinks/metrics-disk/checksum-padding.ts';
import { describeSinkContract } from '../contract.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';
import { directories, documentOn, plain, start, watchedPwrite, withUmask } from './harness.ts';

const { make, removeAll } = directories();
const EMPTY = '<metrics>\n</metrics>\n';
const stops: (() => void)[] = [];
const running: typeof start = (options) => {
  const disk = start(options);
  stops.push(disk.stop);
  return disk;
};
const newPath = (): string => join(make(), 'vhostmd0');

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  removeAll();
});

describeSinkContract('the metrics disk', (scheduler) => {
  const directory = make();
  const path = join(directory, 'sub', 'folder', 'vhostmd0');
  mkdirSync(dirname(path), { recursive: true });
  let failing = false;
  return {
    sink: metricsDisk({
      path,
      size: CHUNK,
      scheduler,
      backoff: { first: 10, most: 50 },
      pwrite: (fd, bytes, offset, length, position) => {
        if (failing) throw new Error('EIO: i/o error, write');
        return writeSync(fd, bytes, offset, length, position);
      },
    }),
    hold: () => {
      rmSync(join(directory, 'sub'), { recursive: true });
      return () => mkdirSync(dirname(path), { recursive: true });
    },
    fail: () => {
      failing = true;
      return () => {
        failing = false;
      };
    },
    target: () => documentOn(path),
    dispose: () => rmSync(directory, { recursive: true, force: true }),
  };
});

describe('the metrics disk', () => {
  it('has a big-endian header of signature, busy, sum and length, and the document behind it', () => {
    const path = newPath();
    running({ path }).publish(snapshot(1, [sample('A', '1')]));
    const bytes = readFileSync(path);
    const xml = bytes.toString('latin1', 16, bytes.indexOf(0, 16));
    expect(plain(xml)).toBe(document(metricsXml(snapshot(2, [sample('A', '1')]))));
    expect(bytes.length).toBe(65_536);
    expect(bytes.subarray(0, 8).toString('hex')).toBe('6d76626400000000');
    expect(bytes.readUInt32BE(8)).toBe([...Buffer.from(xml)].reduce((sum, byte) => sum + byte, 0));
    expect(bytes.readUInt32BE(12)).toBe(xml.length);
  });

  it('is readable by all and writable by its owner only, whatever the umask', () => {
    const path = newPath();
    withUmask(0o077, () => running({ path }));
    expect(statSync(path).mode & 0o7777).toBe(0o644);
  });

  it('keeps the mode of a file that exists', () => {
    const path = newPath();
    writeFileSync(path, Buffer.alloc(CHUNK));
    chmodSync(path, 0o640);
    running({ path }).publish(snapshot(1));
    expect(statSync(path).mode & 0o7777).toBe(0o640);
  });

  it('holds an empty document as soon as it is open', () => {
    const path = newPath();
    const disk = running({ path });
    expect(plain(documentOn(path))).toBe(EMPTY);
    expect(disk.said('opened')).toEqual([`${path}, 65,536 bytes: created`]);
  });

  it('reports each write', () => {
    const path = newPath();
    const disk = running({ path });
    const domainMetrics = [ofDomain(1, sample('B', '2'), sample('C', '3')), ofDomain(2, sample('B', '2'))];
    const value = snapshot(1, [sample('A', '1')], domainMetrics);
    disk.publish(value);
    const bytes = documentOn(path).length;
    expect(disk.reports.at(-1)).toEqual({
      kind: 'written',
      snapshot: value,
      message: `${path}: 1 host and 3 VM metrics of 2 VMs, ${bytes} bytes`,
      bytes,
      leftOut: 0,
    });
  });

  it('writes busy, the end alone, zeros over the rest, the part before the end, sum and length at once, and not busy', () => {
    const { calls, pwrite } = watchedPwrite();
    const path = newPath();
    const disk = running({ path, pwrite });
    disk.publish(snapshot(1, [sample('A', 'x'.repeat(1000))]));
    const old = documentOn(path).length;
    calls.length = 0;
    disk.publish(snapshot(2, [sample('A', '1')]));
    const xml = documentOn(path);
    const sum = Buffer.alloc(8);
    sum.writeUInt32BE(sumOf(Buffer.from(xml), 0, xml.length), 0);
    sum.writeUInt32BE(xml.length, 4);
    // The write of the end has no byte of a metric, and is followed by zeros for the longest possible end.
    const start = xml.lastIndexOf('</metric>') + '</metric>'.length;
    const cleared = xml.length + PADDING_MOST + '\n</metrics>\n'.length;
    expect(calls).toEqual([
      { position: 4, bytes: Buffer.from([0, 0, 0, 1]) },
      { position: 16 + start, bytes: Buffer.concat([Buffer.from(xml.slice(start))], cleared - start) },
      { position: 16 + cleared, bytes: Buffer.alloc(old - cleared) },
      { position: 16, bytes: Buffer.from(xml.slice(0, start)) },
      { position: 8, bytes: sum },
      { position: 4, bytes: Buffer.from([0, 0, 0, 0]) },
    ]);
  });

  it('goes on after short writes', () => {
    const path = newPath();
    const disk = running({
      path,
      pwrite: (fd, bytes, offset, length, position) => writeSync(fd, bytes, offset, Math.min(length, 1000), position),
    });
    disk.publish(snapshot(1, [sample('A', 'y'.repeat(5000))]));
    expect(documentOn(path)).toContain('y'.repeat(5000));
  });

  it('is the same file for ever, because QEMU holds it open', () => {
    const path = newPath();
    writeFileSync(path, '');
    const { ino } = statSync(path);
    const disk = running({ path });
    disk.publish(snapshot(1));
    disk.publish(snapshot(2, [sample('A', '')]));
    disk.stop();
    expect(statSync(path).ino).toBe(ino);
  });

  it('writes nothing if nothing changed, but touches the file', () => {
    const { calls, pwrite } = watchedPwrite();
    const path = newPath();
    const disk = running({ path, pwrite });
    disk.publish(snapshot(1, [sample('A', '1')]));
    utimesSync(path, 1000, 1000);
    const before = readFileSync(path);
    calls.length = 0;
    disk.publish(snapshot(2, [sample('A', '1')]));
    expect(calls).toEqual([]);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(Math.abs(statSync(path).mtimeMs - Date.now())).toBeLessThan(60_000);
    expect(disk.said('written')).toHaveLength(2);
  });

  it('has a new sum after every change, even if the sum of the text is the same', () => {
    const path = newPath();
    const disk = running({ path });
    const sums = new Set<number>();
    for (let round = 0; round < 200; round += 1) {
      disk.publish(snapshot(round, [sample('A', round % 2 === 0 ? '1234' : '4321')]));
      sums.add(readFileSync(path).readUInt32BE(8));
      expect(plain(documentOn(path))).toBe(
        document(metricsXml(snapshot(0, [sample('A', round % 2 === 0 ? '1234' : '4321')]))),
      );
    }
    expect(sums.size).toBe(200);
  });

  it('keeps a valid old document until the first new one, and does not use its sum again', () => {
    const path = newPath();
    const first = running({ path });
    first.publish(snapshot(1, [sample('A', '1234')]));
    first.stop();
    const before = readFileSync(path);
    const second = running({ path });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(second.said('opened')[0]).toContain('its document stays until the first new one');
    second.publish(snapshot(1, [sample('A', '4321')]));
    expect(documentOn(path)).toContain('4321');
    expect(readFileSync(path).readUInt32BE(8)).not.toBe(before.readUInt32BE(8));
  });

  it.each([
    ['busy', (bytes: Buffer) => bytes.writeUInt32BE(1, 4)],
    ['of a wrong signature', (bytes: Buffer) => bytes.writeUInt32BE(1, 0)],
    ['of a wrong sum', (bytes: Buffer) => bytes.writeUInt32BE(1, 8)],
    ['of a length beyond the end', (bytes: Buffer) => bytes.writeUInt32BE(CHUNK - 23, 12)],
    ['of length 0', (bytes: Buffer) => bytes.fill(0, 8, 16)],
  ])('holds the empty document at once if what it finds is %s', (_, damage) => {
    const path = newPath();
    const first = running({ path });
    first.publish(snapshot(1));
    first.stop();
    const bytes = readFileSync(path);
    damage(bytes);
    bytes.fill('x', 5000);
    writeFileSync(path, bytes);
    const second = running({ path });
    expect(plain(documentOn(path))).toBe(EMPTY);
    expect(second.said('opened')[0]).toContain('held no valid document');
  });

  it('grows to its size with zeros that take up storage, and keeps its document meanwhile', () => {
    const path = newPath();
    const first = running({ path });
    first.publish(snapshot(1));
    first.stop();
    const xml = documentOn(path);
    running({ path, size: 3 * CHUNK });
    expect(documentOn(path)).toBe(xml);
    expect(statSync(path).size).toBe(3 * CHUNK);
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(3 * CHUNK);
  });

  it('is rounded up to 64 KiB, also where the file has an odd length', () => {
    const path = newPath();
    writeFileSync(path, Buffer.alloc(CHUNK + 5));
    running({ path, size: 100 });
    expect(statSync(path).size).toBe(2 * CHUNK);
  });

  it('takes up storage also where a valid disk was sparse, before anything is written', () => {
    const path = newPath();
    const first = running({ path });
    first.publish(snapshot(1));
    first.stop();
    const xml = documentOn(path);
    truncateSync(path, 4 * CHUNK);
    running({ path });
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(4 * CHUNK);
    expect(documentOn(path)).toBe(xml);
  });

  it('never shrinks, and uses the whole length of a longer file', () => {
    const path = newPath();
    writeFileSync(path, Buffer.alloc(2 * CHUNK));
    const disk = running({ path, size: CHUNK });
    disk.publish(snapshot(1, [sample('A', 'x'.repeat(CHUNK))]));
    expect(statSync(path).size).toBe(2 * CHUNK);
    expect(documentOn(path)).toContain('x'.repeat(CHUNK));
  });

  it('is left with its last document when it is closed, and unlocked', () => {
    const path = newPath();
    const disk = running({ path });
    disk.publish(snapshot(5));
    disk.stop();
    expect(documentOn(path)).toContain('tick 5');
    execFileSync('flock', ['-n', path, 'true']);
  });

  it('is not handed to child processes, which would keep it locked', () => {
    const path = newPath();
    running({ path });
    const open = execFileSync('sh', ['-c', 'ls -l /proc/self/fd'], { encoding: 'utf8' });
    expect(open).not.toContain(path);
  });

  it('opens nothing before it is subscribed to', () => {
    const path = newPath();
    metricsDisk({ path, size: CHUNK, scheduler: { now: () => 0, schedule: () => expect.fail() } });
    expect(existsSync(path)).toBe(false);
  });
});
