import { setTimeout as sleep } from 'node:timers/promises';

import { configuration, end, startDaemon, startProgram } from './daemon.ts';
import { memoryOf } from './proc.ts';
import type { Reached } from './programs/pipeline.ts';
import type { Bench, Figure, Result, Row } from './row.ts';

const DOMAINS = 40;
const PERIOD = 5;
const FIRST = 1000;
const LAST = 10_000;
const REAL = 30_000;
const TARGET = 90;

const memory = (what: string, value: number): Figure => ({ what, value, unit: 'MiB' });

// Runs the daemon's parts with a short period. Returns the RSS in MiB by number of ticks, measured from outside.
const accelerated = async (config: string, uri: string): Promise<ReadonlyMap<number, number>> => {
  const program = startProgram('pipeline', [config, uri, String(PERIOD), String(FIRST), String(LAST)]);
  const reached = new Map<number, number>();
  try {
    await new Promise<void>((resolve, reject) => {
      program.once('exit', () => reject(new Error('the accelerated pipeline has ended early')));
      program.on('message', ({ ticks }: Reached) => {
        reached.set(ticks, memoryOf(program.pid ?? 0).all);
        if (ticks === LAST) resolve();
      });
    });
  } finally {
    await end(program);
  }
  return reached;
};

const realDaemon = async (config: string, uri: string): Promise<ReturnType<typeof memoryOf>> => {
  const daemon = await startDaemon(config, uri);
  try {
    await sleep(REAL);
    return memoryOf(daemon.pid);
  } finally {
    await daemon.stop();
  }
};

const run = async ({ machines, directory, say }: Bench): Promise<Result> => {
  const { uri } = await machines.atLeast(DOMAINS);
  say(`${LAST} ticks at a period of ${PERIOD} ms, and the daemon for ${REAL / 1000} s`);
  const [reached, real] = await Promise.all([
    accelerated(configuration('conf/vhostmd.xml', directory, 'accelerated').config, uri),
    realDaemon(configuration('conf/vhostmd.xml', directory, 'memory').config, uri),
  ]);
  const [first = NaN, last = NaN] = [reached.get(FIRST), reached.get(LAST)];
  return {
    telemetry: [
      { ...memory(`RSS of the daemon after ${REAL / 1000} s`, real.all), target: TARGET },
      memory(`of that its own (anonymous)`, real.anonymous),
      { ...memory(`RSS after ${FIRST} accelerated ticks`, first), target: TARGET },
      { ...memory(`RSS after ${LAST} accelerated ticks`, last), target: TARGET },
      { what: 'RSS, later : earlier', value: last / first, unit: 'ratio', target: 1.1 },
    ],
    notes: [
      `memory: accelerated is not the daemon's own process, whose period is at least 1 s, but the daemon's modules, pipeline and disk ` +
        `in a process of the bench's, with ${PERIOD} ms instead, on the real libvirt with ${DOMAINS} VMs.`,
    ],
  };
};

export const memoryRow: Row = {
  name: 'memory',
  about: `resident memory with ${DOMAINS} QEMU VMs and conf/vhostmd.xml`,
  run,
};
