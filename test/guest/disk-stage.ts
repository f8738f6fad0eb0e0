import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, beforeEach } from 'vitest';

import type { DomainMetrics, Sample } from '../../src/model/metric.ts';
import { metricsXml } from '../../src/model/metrics-xml.ts';
import { HEADER_SIZE, parseHeader, sumOf, uint32BE } from '../../src/sinks/metrics-disk/format.ts';
import { openDisk } from '../../src/sinks/metrics-disk/open-disk.ts';
import { uniqueSums } from '../../src/sinks/metrics-disk/checksum-padding.ts';
import { snapshot } from '../../src/testing/snapshots.ts';
import { busyboxFolder, type Ended, type Shell, startTool } from './tool.ts';

/** Returns the document on a disk, byte by byte. */
export const documentOn = (disk: string): string => {
  const bytes = readFileSync(disk);
  return bytes.subarray(HEADER_SIZE, HEADER_SIZE + parseHeader(bytes).length).toString('latin1');
};

/** Writes a document with these metrics to a disk, as the daemon does. */
export const publish = (disk: string, host: readonly Sample[], guests: readonly DomainMetrics[] = []): void => {
  const xml = metricsXml(snapshot(1, host, guests));
  const opened = openDisk({ path: disk, size: 65_536 }, uniqueSums());
  opened.publish([xml.host, ...xml.domainMetrics.map((part) => part.xml)]);
  opened.close();
};

/** Writes a disk without the daemon's code, so that it may be invalid. */
export const forge = (
  disk: string,
  content: Buffer,
  { size = 65_536, sum = sumOf(content, 0, content.length) }: { readonly size?: number; readonly sum?: number } = {},
): void => {
  const bytes = Buffer.alloc(size);
  uint32BE(0x6d766264, 0, sum, content.length).copy(bytes);
  content.copy(bytes, HEADER_SIZE);
  writeFileSync(disk, bytes);
};

/** Overwrites a part of a disk. */
export const overwrite = (disk: string, bytes: Buffer, position: number): void => {
  const fd = openSync(disk, 'r+');
  writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
};

export interface DiskStage {
  readonly folder: string;
  /** Returns the path of a disk, another one in each test. */
  readonly disk: () => string;
  /** Returns a folder with all programs of busybox. */
  readonly bin: () => string;
  /** Runs the tool with no other programs than those of busybox. */
  readonly run: (shell: Shell, args: readonly string[]) => Promise<Ended>;
}

/** Provides a folder with disks for the tests of a file. */
export const diskStage = (): DiskStage => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-tool-'));
  let bin = '';
  let number = 0;
  beforeAll(() => {
    bin = busyboxFolder(path.join(folder, 'bin'));
  });
  beforeEach(() => void (number += 1));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    disk: () => path.join(folder, `disk${number}`),
    bin: () => bin,
    run: async (shell, args) => await startTool(shell, args, { PATH: bin, TMPDIR: '/nowhere' }).ended,
  };
};
