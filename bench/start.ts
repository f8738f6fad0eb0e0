import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { configuration, end, PROGRAM, spawnDaemon } from './daemon.ts';
import { viewDisk } from './disk-view.ts';
import type { Bench, Result, Row } from './row.ts';
import { median, percentile } from './statistics.ts';

const DOMAINS = 40;
const TIMES = 20;
const PATIENCE = 10_000;
// Goal as a multiple of bare Node, for the Node that runs.
const BARE = Number(process.versions.node.split('.')[0]) >= 24 ? 1.8 : 2.2;

// The daemon first creates the disk with an empty document; only a snapshot has metrics of a domain.
const untilPublished = async (disk: string): Promise<void> => {
  const until = performance.now() + PATIENCE;
  const late = (): Error => new Error(`no snapshot was on the disk within ${PATIENCE} ms`);
  for (; !existsSync(disk); await sleep(1)) if (performance.now() > until) throw late();
  const { look, close } = viewDisk(disk);
  try {
    for (; look()?.includes("context='vm'") !== true; await sleep(1)) if (performance.now() > until) throw late();
  } finally {
    close();
  }
};

// Returns the ms from the start of a Node with these arguments to its end.
const timeOf = (...args: readonly string[]): number => {
  const from = performance.now();
  execFileSync(process.execPath, args, { stdio: 'ignore' });
  return performance.now() - from;
};

const run = async ({ machines, directory, say }: Bench): Promise<Result> => {
  const { uri } = await machines.atLeast(DOMAINS);
  const { config, disk } = configuration('conf/vhostmd.xml', directory, 'start');
  say(`starting the daemon ${TIMES} times`);
  const times: number[] = [];
  const bare: number[] = [];
  // What each of these does, the daemon does at its start, too.
  const parts = {
    '--version: the command line': ['--version'],
    'check: and the configuration': ['check', '--quiet', config],
    'once: and libvirt, and a snapshot': ['once', '-f', config, '-c', uri],
  };
  const partTimes = new Map<string, number[]>(Object.keys(parts).map((part) => [part, []]));
  for (let time = 0; time < TIMES; time += 1) {
    rmSync(disk, { force: true });
    bare.push(timeOf('-e', ''));
    for (const [part, args] of Object.entries(parts)) partTimes.get(part)?.push(timeOf(PROGRAM, ...args));
    const from = performance.now();
    const daemon = spawnDaemon(config, uri);
    try {
      await untilPublished(disk);
      times.push(performance.now() - from);
    } finally {
      await end(daemon);
    }
  }
  return {
    telemetry: [
      {
        what: 'process start to the first snapshot, median',
        value: median(times),
        unit: 'ms',
        target: 400,
        count: TIMES,
      },
      { what: 'process start to the first snapshot, slowest', value: percentile(times, 1), unit: 'ms', count: TIMES },
      { what: 'start and end of bare Node, median', value: median(bare), unit: 'ms', count: TIMES },
      ...[...partTimes].map(
        ([part, some]) => ({ what: `vhostmd ${part}, median`, value: median(some), unit: 'ms', count: TIMES }) as const,
      ),
      { what: 'start, daemon : bare Node', value: median(times) / median(bare), unit: 'ratio', target: BARE },
    ],
  };
};

export const start: Row = {
  name: 'start',
  about: `from the start of the process to the first snapshot on the disk, ${DOMAINS} QEMU VMs, no disk there before`,
  run,
};
