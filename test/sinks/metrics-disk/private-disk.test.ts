import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { metricsXml } from '../../../src/model/metrics-xml.ts';
import { systemPwrite } from '../../../src/sinks/metrics-disk/disk-writer.ts';
import { CHUNK } from '../../../src/sinks/metrics-disk/format.ts';
import { privateDisk } from '../../../src/sinks/metrics-disk/private-disk.ts';
import type { PrivateDisk, PrivateDiskOptions } from '../../../src/sinks/metrics-disk/private-disk.ts';
import { privatePaths } from '../../../src/sinks/metrics-disk/private-paths.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';
import { openFiles } from '../../../src/testing/contract.ts';
import { directories, documentOn } from './harness.ts';
import { uuidOf } from './private-harness.ts';

const { make, removeAll } = directories();
let folder = '';
let path = '';
let disks: readonly PrivateDisk[] = [];
beforeEach(() => {
  folder = make();
  path = join(folder, uuidOf(1), 'disk');
});
afterEach(() => {
  for (const disk of disks) disk.close();
  disks = [];
  removeAll();
});

const diskOf = (options: Partial<PrivateDiskOptions> = {}): PrivateDisk => {
  const disk = privateDisk(uuidOf(1), privatePaths(join(folder, 'UUID', 'disk')), { size: CHUNK, ...options });
  disks = [...disks, disk];
  return disk;
};
const xmlOf = (host: string, own?: string) =>
  metricsXml(snapshot(1, [sample('H', host)], own === undefined ? [] : [ofDomain(1, sample('Own', own))]));
const keep = (disk: PrivateDisk, host: string, own?: string, tick = true) => {
  const xml = xmlOf(host, own);
  return disk.keep(xml, xml.domainMetrics[0], tick);
};
const SAME = { state: 'as it was', bytes: 0, leftOut: 0, warnings: [] };
const FAILED = { state: 'failed', bytes: 0, leftOut: 0, warnings: [] };

describe('a private disk', () => {
  it('is made with its folder by its first update, with the metrics of the host and of its domain', () => {
    const disk = diskOf();
    expect(readdirSync(folder)).toEqual([]);
    const update = keep(disk, 'h', 'o');
    expect(update).toEqual({ ...SAME, state: 'changed', bytes: documentOn(path).length });
    expect(documentOn(path)).toContain('<value>h</value>');
    expect(documentOn(path)).toContain('<value>o</value>');
    expect(keep(disk, 'h').state).toBe('changed');
    expect(documentOn(path)).not.toContain('<value>o</value>');
  });

  it('is touched by a tick, and looked at between ticks only if its content is another', () => {
    const disk = diskOf();
    keep(disk, 'h', 'o');
    expect(keep(disk, 'h', 'o')).toEqual(SAME);
    writeFileSync(path, '');
    expect(keep(disk, 'h', 'o', false)).toEqual(SAME);
    expect(keep(disk, 'h', 'o').warnings).toEqual([`${path} was truncated to 0 bytes; it has been rewritten`]);
    for (const [host, own] of [['h', 'p'], ['i', 'p'], ['i']]) {
      expect(keep(disk, host ?? '', own, false).state).toBe('changed');
      expect(documentOn(path)).toContain(`<value>${host}</value>`);
    }
  });

  it('has the number of metrics that do not fit, also while nothing changes', () => {
    const disk = diskOf();
    const big = 'x'.repeat(CHUNK);
    const { warnings, ...first } = keep(disk, 'h', big);
    expect(first).toMatchObject({ state: 'changed', leftOut: 1 });
    expect(warnings).toEqual([expect.stringContaining('is too small and holds 1 of 1 host metrics and 0 of 1 VMs')]);
    for (const tick of [true, false]) expect(keep(disk, 'h', big, tick)).toEqual({ ...SAME, leftOut: 1 });
  });

  it('that cannot be had is tried at ticks only; its failure and its recovery have one warning each', () => {
    const disk = diskOf();
    mkdirSync(path, { recursive: true });
    expect(keep(disk, 'h')).toEqual({ ...FAILED, warnings: [expect.stringContaining(`${path} is a directory`)] });
    expect(keep(disk, 'h')).toEqual(FAILED);
    rmSync(path, { recursive: true });
    expect(keep(disk, 'h', 'o', false)).toEqual(FAILED);
    expect(existsSync(path)).toBe(false);
    expect(keep(disk, 'h')).toMatchObject({ state: 'changed', warnings: [`${path} has recovered`] });
    expect(keep(disk, 'h')).toEqual(SAME);
  });

  it('whose update fails is written at the next tick, even with the content of before', () => {
    let failing = false;
    const disk = diskOf({
      pwrite: (...all) => {
        if (failing) throw new Error('EIO: i/o error, write');
        return systemPwrite(...all);
      },
    });
    keep(disk, 'h');
    failing = true;
    expect(keep(disk, 'i', 'o')).toEqual({ ...FAILED, warnings: [`${path} cannot be written: EIO: i/o error, write`] });
    failing = false;
    expect(keep(disk, 'h')).toMatchObject({ state: 'changed', warnings: [`${path} has recovered`] });
    expect(documentOn(path)).toContain('<value>h</value>');
  });

  it('is adopted if there is a metrics disk in a folder that nobody else can change', () => {
    expect(diskOf().adopt()).toBe(false);
    mkdirSync(dirname(path));
    writeFileSync(path, 'precious');
    expect(diskOf().adopt()).toBe(false);
    writeFileSync(path, 'mvbd');
    const disk = diskOf();
    expect(disk.adopt()).toBe(true);
    expect(documentOn(path)).toContain('<metrics>');
    // In use by the first.
    expect(diskOf().adopt()).toBe(false);
    expect(keep(disk, 'h').state).toBe('changed');
  });

  it('is stale if it has not been written for long', () => {
    const disk = diskOf();
    keep(disk, 'h');
    expect(disk.isStale()).toBe(false);
    utimesSync(path, 1000, 1000);
    expect(disk.isStale()).toBe(true);
  });

  it('is removed with its folder, and closed, if it is the one that was made', () => {
    const before = openFiles();
    const disk = diskOf();
    expect(disk.remove()).toBe(false);
    keep(disk, 'h');
    expect(disk.remove()).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
    expect(disk.remove()).toBe(false);
    keep(disk, 'h');
    renameSync(path, `${path}.old`);
    writeFileSync(path, 'precious');
    expect(disk.remove()).toBe(false);
    expect(existsSync(path)).toBe(true);
    expect(openFiles().filter((file) => !before.includes(file))).toEqual([]);
    disk.close();
  });
});
