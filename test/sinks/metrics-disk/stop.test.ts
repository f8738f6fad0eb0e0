import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { PATIENCE } from '../../support/patience.ts';
import { compiled } from './compiled.ts';
import { directories, documentOn } from './harness.ts';

const { make, removeAll } = directories();
let directory = '';
let program = '';

// Publishes without a pause; unsubscribes on SIGTERM, as the daemon does.
const WRITER = `
import { asyncScheduler, Subject } from 'rxjs';
import { metricsDisk } from './sinks/metrics-disk/shared-disk-sink.js';

const snapshots = new Subject();
const path = process.argv[2];
const running = metricsDisk({ path, size: 1 << 20, scheduler: asyncScheduler }).run(snapshots).subscribe();
let tick = 0;
const publish = () => {
  for (let burst = 0; burst < 20; burst += 1) {
    tick += 1;
    const value = String(tick).repeat(100_000);
    const host = [{ name: 'A', type: 'string', value }];
    snapshots.next({ cause: 'tick', tick, at: tick, host, domainMetrics: [], missing: [] });
    if (tick === 20) process.stdout.write('writing');
  }
  timer = setImmediate(publish);
};
let timer = setImmediate(publish);
process.on('SIGTERM', () => {
  clearImmediate(timer);
  running.unsubscribe();
});
`;

beforeAll(() => {
  directory = make();
  compiled('sinks/metrics-disk/shared-disk-sink.ts', directory);
  program = join(directory, 'writer.js');
  writeFileSync(program, WRITER);
}, 60_000 * PATIENCE);

afterAll(removeAll);

describe('stopping', () => {
  it(
    'FAULTS 47: SIGTERM while it writes without a pause leaves a valid document, not busy, and ends the process',
    async () => {
      for (let round = 0; round < 5; round += 1) {
        const path = join(directory, `disk${round}`);
        const writer = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
        await new Promise((resolve) => writer.stdout.once('data', resolve));
        const ended = new Promise((resolve) => writer.once('exit', (code, signal) => resolve([code, signal])));
        await new Promise((resolve) => setTimeout(resolve, round * 7));
        writer.kill('SIGTERM');
        expect(await ended).toEqual([0, null]);
        expect(documentOn(path)).toMatch(/<value>(\d+?)\1{99999}<\/value>/);
      }
    },
    30_000 * PATIENCE,
  );
});
