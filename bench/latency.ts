import { setTimeout as sleep } from 'node:timers/promises';

import { configuration, end, startDaemon, startProgram } from './daemon.ts';
import type { Noted } from './programs/observer.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import { median, percentile } from './statistics.ts';

const TIMES = 100;
const BACKGROUND = 5;
const PATIENCE = 15_000;

type Kind = Noted['kind'];

/** Both observations of each kind of event: the latest of each domain. */
export const notebook = () => {
  const notes = new Map<string, number>();
  const key = (by: Noted['by'], kind: Kind, uuid: string): string => `${by} ${kind} ${uuid}`;
  return {
    note: ({ by, kind, uuid, at }: Noted): void => {
      // A start is followed by further events (paused, resumed): the first counts.
      if (!notes.has(key(by, kind, uuid))) notes.set(key(by, kind, uuid), at);
    },
    /** Ms from libvirt's event until the disk, as soon as both are known. */
    delay: async (kind: Kind, uuid: string): Promise<number> => {
      for (const until = performance.now() + PATIENCE; performance.now() < until; await sleep(5)) {
        const event = notes.get(key('libvirt', kind, uuid));
        const disk = notes.get(key('disk', kind, uuid));
        if (event !== undefined && disk !== undefined) return disk - event;
      }
      const missing = notes.has(key('libvirt', kind, uuid)) ? 'the disk did not change' : 'libvirt told of no event';
      throw new Error(`${missing} within ${PATIENCE} ms (a domain's ${kind === 'on' ? 'start' : 'stop'})`);
    },
  };
};

const figures = (what: string, delays: readonly number[], formerly: string): readonly Figure[] => [
  { what: `${what}, median`, value: median(delays), unit: 'ms', target: 20, formerly, count: delays.length },
  { what: `${what}, p99`, value: percentile(delays, 0.99), unit: 'ms', target: 50, count: delays.length },
];

const run = async ({ machines, directory, say }: Bench): Promise<Result> => {
  const libvirtd = await machines.atLeast(BACKGROUND);
  const { config, disk } = configuration('conf/vhostmd.xml', directory, 'latency');
  const daemon = await startDaemon(config, libvirtd.uri);
  const observer = startProgram('observer', [libvirtd.uri, disk]);
  try {
    const notes = notebook();
    const ready = new Promise((resolve, reject) => {
      observer.once('exit', () => reject(new Error('the observer has ended')));
      observer.on('message', (message) => (message === 'ready' ? resolve(message) : notes.note(message as Noted)));
    });
    await ready;
    say(`starting and stopping ${TIMES} QEMU domains`);
    const starts: number[] = [];
    const stops: number[] = [];
    for (let time = 0; time < TIMES; time += 1) {
      const uuid = await libvirtd.create(`latency-${time}`, { paused: false });
      starts.push(await notes.delay('on', uuid));
      await libvirtd.destroy(uuid);
      stops.push(await notes.delay('off', uuid));
    }
    return {
      figures: [
        ...figures('start until it is on the disk', starts, '4500 ms'),
        ...figures('stop until it is off the disk', stops, '2700 ms'),
      ],
    };
  } finally {
    await end(observer);
    await daemon.stop();
  }
};

export const latency: Row = {
  name: 'latency',
  about: `start and stop of a QEMU VM beside ${BACKGROUND} others, period 5 s, from libvirt's event to the disk`,
  run,
};
