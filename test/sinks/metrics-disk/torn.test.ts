import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { describe, expect, it } from 'vitest';

import { CHUNK } from '../../../src/sinks/metrics-disk/format.ts';
import type { Snapshot } from '../../../src/metric.ts';
import { guest, sample, snapshot } from '../../../src/testing/snapshots.ts';
import { start } from './harness.ts';

interface Counts {
  readonly accepted: number;
  readonly refused: number;
  readonly torn: number;
  readonly documents: number;
}

const snapshots = (values: readonly string[]): readonly Snapshot[] =>
  values.map((value, tick) => {
    const guests = Array.from({ length: 250 }, (_, id) => guest(id, sample('Value', value)));
    return snapshot(tick, [sample('Value', value)], guests);
  });

const race = async (rules: string, reads: number, values: readonly string[]): Promise<Counts> => {
  const documents = snapshots(values);
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const directory = mkdtempSync(join(memory, 'metrics-disk-'));
  const path = join(directory, 'disk');
  const disk = start({ path, size: CHUNK });
  disk.publish(documents[0] ?? snapshot(0));
  const reader = new Worker(new URL('reader.mjs', import.meta.url), {
    workerData: { path, size: CHUNK, reads, rules },
  });
  try {
    const received: Counts[] = [];
    reader.once('message', (message: Counts) => received.push(message));
    for (let round = 1; received.length === 0; round += 1) {
      disk.publish(documents[round % documents.length] ?? snapshot(0));
      if (round % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      disk.reports.length = 0;
    }
    return received[0] ?? expect.fail();
  } finally {
    await reader.terminate();
    disk.stop();
    rmSync(directory, { recursive: true });
  }
};

describe('FAULTS 49: readers against a writer without a pause', () => {
  it('FAULTS 49: by the rules of libmetrics nothing torn is accepted, even of values with the same sum', async () => {
    const counts = await race('libmetrics', 50_000, ['12345678', '21436587', '87654321', '56781234', '18273645']);
    expect(counts.torn).toBe(0);
    expect(counts.accepted).toBeGreaterThanOrEqual(50_000);
  }, 120_000);

  it('FAULTS 49: by the rules of KubeVirt nothing torn is accepted, even of values with the same sum', async () => {
    const counts = await race('kubevirt', 20_000, ['12345678', '21436587', '87654321', '56781234', '18273645']);
    expect(counts.torn).toBe(0);
    expect(counts.accepted).toBeGreaterThanOrEqual(20_000);
  }, 120_000);
});
