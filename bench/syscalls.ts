import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { configuration, startDaemon } from './daemon.ts';
import type { Bench, Result, Row } from './row.ts';

const DOMAINS = 40;
const PERIOD = 5000;
const TICKS = 12;
const SHOWN = 10;

/** Returns the number of calls by name in the summary of `strace -c`. */
export const callsIn = (summary: string): ReadonlyMap<string, number> =>
  new Map(
    // % time, seconds, usecs/call, calls, errors (may be empty), name
    [...summary.matchAll(/^ *[\d.]+ +[\d.]+ +\d+ +(\d+)(?: +\d+)? +(\w+)$/gm)].flatMap(
      ([, calls, name = '']): readonly [string, number][] => (name === 'total' ? [] : [[name, Number(calls)]]),
    ),
  );

const run = async ({ machines, directory, say }: Bench): Promise<Result> => {
  const { uri } = await machines.atLeast(DOMAINS);
  const { config } = configuration('conf/vhostmd.xml', directory, 'syscalls');
  const daemon = await startDaemon(config, uri);
  try {
    say(`system calls of ${TICKS} ticks`);
    await sleep(3 * PERIOD);
    const file = path.join(directory, 'strace');
    const strace = spawn('strace', ['-f', '-c', '-o', file, '-p', String(daemon.pid)], { stdio: 'ignore' });
    const ended = once(strace, 'exit');
    await Promise.race([sleep(TICKS * PERIOD), ended]);
    strace.kill('SIGINT');
    await ended;
    const calls = [...callsIn(readFileSync(file, 'utf8'))].sort(([, a], [, b]) => b - a);
    const sum = (some: typeof calls): number => some.reduce((total, [, count]) => total + count, 0);
    if (calls.length === 0) throw new Error('strace may not observe the daemon here');
    const rest = calls.slice(SHOWN);
    return {
      telemetry: [
        { what: 'system calls per tick', value: sum(calls) / TICKS, unit: 'calls', count: TICKS },
        ...calls
          .slice(0, SHOWN)
          .map(([name, count]) => ({ what: `of that ${name}`, value: count / TICKS, unit: 'calls' }) as const),
        { what: `of that ${rest.length} others`, value: sum(rest) / TICKS, unit: 'calls' },
      ],
    };
  } finally {
    await daemon.stop();
  }
};

export const syscalls: Row = {
  name: 'syscalls',
  about: `system calls of all threads per tick at which nothing happens, ${DOMAINS} QEMU VMs, period 5 s`,
  run,
};
