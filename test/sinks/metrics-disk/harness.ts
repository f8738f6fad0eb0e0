import { mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { asyncScheduler, Subject } from 'rxjs';

import type { Snapshot } from '../../../src/model/metric.ts';
import { metricsDisk } from '../../../src/sinks/metrics-disk/shared-disk-sink.ts';
import type { MetricsDiskOptions } from '../../../src/sinks/metrics-disk/shared-disk-sink.ts';
import { CHUNK, parseHeader, sumOf } from '../../../src/sinks/metrics-disk/format.ts';
import type { Pwrite } from '../../../src/sinks/metrics-disk/disk-writer.ts';
import type { SinkReport } from '../../../src/sinks/sink.ts';
import { cLibrary } from '../../../src/system/libc.ts';
import { once } from '../../../src/system/once.ts';

/** `make` creates a temporary directory, `removeAll` removes all of them. */
export const directories = () => {
  const made: string[] = [];
  return {
    make: (): string => {
      const directory = mkdtempSync(join(tmpdir(), 'metrics-disk-'));
      made.push(directory);
      return directory;
    },
    removeAll: (): void => {
      for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
    },
  };
};

const umaskOf = once(() => cLibrary().self.func('unsigned int umask(unsigned int mask)') as (mask: number) => number);

/** Runs `work` with another umask, also in a worker thread, where Node does not set it. */
export const withUmask = (mask: number, work: () => void): void => {
  const before = umaskOf()(mask);
  try {
    work();
  } finally {
    umaskOf()(before);
  }
};

/** Returns the verified document on a disk; throws if the header is not that of a complete document, or busy. */
export const documentOn = (path: string): string => {
  const bytes = readFileSync(path);
  const { signature, busy, sum, length } = parseHeader(bytes);
  if (signature !== 0x6d766264) throw new Error('bad signature');
  if (busy !== 0) throw new Error('busy');
  if (bytes.length % CHUNK !== 0 || length > bytes.length - 24) throw new Error('bad length');
  if (sumOf(bytes, 16, 16 + length) !== sum) throw new Error('bad sum');
  const rest = bytes.subarray(16 + length);
  if (!rest.equals(Buffer.alloc(rest.length))) throw new Error('something is left behind the content');
  return bytes.toString('latin1', 16, 16 + length);
};

/** Returns a document without the white space that makes its sum unique. */
export const plain = (xml: string): string =>
  xml.replace(/[ \t]*\n<\/metrics>\n$/, '\n</metrics>\n').replace(/^<metrics>[ \t]*\n/, '<metrics>\n');

/** Starts a metrics disk, and collects its reports. */
export const start = (options: Partial<MetricsDiskOptions> & { readonly path: string }) => {
  const snapshots = new Subject<Snapshot>();
  const reports: SinkReport[] = [];
  const sink = metricsDisk({
    size: CHUNK,
    scheduler: asyncScheduler,
    backoff: { first: 10, most: 50 },
    ...options,
  });
  const subscription = sink.run(snapshots).subscribe((report) => reports.push(report));
  return {
    publish: (snapshot: Snapshot): void => snapshots.next(snapshot),
    said: (kind: SinkReport['kind']): readonly string[] =>
      reports.filter((report) => report.kind === kind).map(({ message }) => message),
    reports,
    stop: (): void => subscription.unsubscribe(),
  };
};

/** A pwrite that records its calls, and fails if `fails` returns true for their number, counted from 0. */
export const watchedPwrite = (fails: (call: number) => boolean = () => false) => {
  const calls: { readonly position: number; readonly bytes: Buffer }[] = [];
  const pwrite: Pwrite = (fd, bytes, offset, length, position) => {
    calls.push({ position, bytes: Buffer.from(bytes.subarray(offset, offset + length)) });
    if (fails(calls.length - 1)) throw new Error('EIO: i/o error, write');
    return writeSync(fd, bytes, offset, length, position);
  };
  return { calls, pwrite };
};
