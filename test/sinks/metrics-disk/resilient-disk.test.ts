import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { metricsXml } from '../../../src/model/metrics-xml.ts';
import { openFile } from '../../../src/sinks/metrics-disk/disk-file.ts';
import { systemPwrite } from '../../../src/sinks/metrics-disk/disk-writer.ts';
import { CHUNK } from '../../../src/sinks/metrics-disk/format.ts';
import { openResilientDisk } from '../../../src/sinks/metrics-disk/resilient-disk.ts';
import type { ResilientDisk } from '../../../src/sinks/metrics-disk/resilient-disk.ts';
import { ownUser } from '../../../src/system/process/privileges.ts';
import { openFiles } from '../../../src/testing/contract.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';
import { directories, documentOn } from './harness.ts';

const { make, removeAll } = directories();
const MADE_AGAIN =
  'was deleted or replaced, and has been made again. VMs that have the old file open see the new one when it is attached to them again';
let path = '';
let disk: ResilientDisk | undefined;
beforeEach(() => {
  path = join(make(), 'disk');
});
afterEach(() => {
  disk?.close();
  disk = undefined;
  removeAll();
});

const open = (taken?: string): ResilientDisk => {
  const opened = () => ({
    ...openFile(path, CHUNK, ownUser(), systemPwrite),
    ...(taken === undefined ? {} : { taken }),
  });
  disk = openResilientDisk({ path, size: CHUNK, opened });
  return disk;
};
const xml = (host: string, ...own: readonly string[]) =>
  metricsXml(
    snapshot(
      1,
      [sample('H', host)],
      own.map((value, id) => ofDomain(id, sample('A', value))),
    ),
  );

describe('a disk that is maintained', () => {
  it('says how it was found', () => {
    expect(open()).toMatchObject({ opened: `${path}, 65,536 bytes: created`, found: 'nothing' });
    disk?.close();
    expect(open()).toMatchObject({
      opened: `${path}, 65,536 bytes: its document stays until the first new one`,
      found: 'a valid document',
    });
    disk?.close();
    writeFileSync(path, '');
    expect(open()).toMatchObject({
      opened: `${path}, 65,536 bytes: held no valid document, so an empty one was published`,
      found: 'no valid document',
    });
  });

  it('has a warning once if it was taken over, each time it is opened', () => {
    const { write } = open('was taken over');
    expect(write(xml('1')).warnings).toEqual(['was taken over']);
    expect(write(xml('2')).warnings).toEqual([]);
    rmSync(path);
    expect(write(xml('3')).warnings).toEqual([`${path} ${MADE_AGAIN}`, 'was taken over']);
    expect(write(xml('4')).warnings).toEqual([]);
  });

  it('is made again if it is gone, and the old file is closed', () => {
    const before = openFiles();
    const { write, gone } = open();
    write(xml('1'));
    expect(gone()).toBe(false);
    rmSync(path);
    expect(gone()).toBe(true);
    mkdirSync(path);
    expect(() => write(xml('2'))).toThrow('is a directory');
    expect(gone()).toBe(true);
    expect(openFiles().filter((file) => !before.includes(file))).toEqual([]);
    rmSync(path, { recursive: true });
    expect(write(xml('3'))).toMatchObject({ changed: true, warnings: [`${path} ${MADE_AGAIN}`] });
    expect(documentOn(path)).toContain('<value>3</value>');
    disk?.close();
    disk = undefined;
    expect(openFiles().filter((file) => !before.includes(file))).toEqual([]);
  });

  it('reports what does not fit when that begins, with its extent, and when it ends', () => {
    const { write } = open();
    const big = 'x'.repeat(40_000);
    const many = Array.from({ length: 1000 }, () => big);
    const { chosen, warnings } = write(xml('1', ...many));
    expect(chosen).toMatchObject({ hostCount: 1, domains: 1, leftOut: 999 });
    expect(warnings).toEqual([
      `${path} is too small and holds 1 of 1 host metrics and 1 of 1,000 VMs only; raise the <size> of the disk`,
    ]);
    expect(write(xml('2', ...many.slice(0, 2))).warnings).toEqual([]);
    expect(write(xml('3', 'x')).warnings).toEqual([`${path} holds all metrics again`]);
    expect(write(xml('4', 'x')).warnings).toEqual([]);
  });
});
