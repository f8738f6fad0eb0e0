import { setTimeout as sleep } from 'node:timers/promises';

import { end, startDaemon, startProgram } from './daemon.ts';
import type { Noted } from './programs/observer.ts';
import type { Bench } from './row.ts';

export const BACKGROUND = 40;
const PATIENCE = 15_000;

type Kind = Noted['kind'];

/** Keeps the first observation of each start and stop, by libvirt and on the disk. */
const notebook = () => {
  const notes = new Map<string, number>();
  const key = (by: Noted['by'], kind: Kind, uuid: string): string => `${by} ${kind} ${uuid}`;
  return {
    note: ({ by, kind, uuid, at }: Noted): void => {
      // Further events (paused, resumed) follow a start.
      if (!notes.has(key(by, kind, uuid))) notes.set(key(by, kind, uuid), at);
    },
    /** Returns the ms from libvirt's event to the disk, when both are known. */
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

/**
 * Returns the ms from libvirt's events to the disk for `times` starts and stops of a QEMU VM beside others, with its
 * own daemon.
 */
export const startsAndStops = async (
  { machines }: Bench,
  { config, disk }: { readonly config: string; readonly disk: string },
  name: string,
  times: number,
): Promise<{ readonly starts: readonly number[]; readonly stops: readonly number[] }> => {
  const libvirtd = await machines.atLeast(BACKGROUND);
  const daemon = await startDaemon(config, libvirtd.uri);
  const observer = startProgram('observer', [libvirtd.uri, disk]);
  try {
    const notes = notebook();
    const ready = new Promise((resolve, reject) => {
      observer.once('exit', () => reject(new Error('the observer has ended')));
      observer.on('message', (message) => (message === 'ready' ? resolve(message) : notes.note(message as Noted)));
    });
    await ready;
    const starts: number[] = [];
    const stops: number[] = [];
    for (let time = 0; time < times; time += 1) {
      const uuid = await libvirtd.create(`${name}-${time}`, { paused: false });
      starts.push(await notes.delay('on', uuid));
      await libvirtd.destroy(uuid);
      stops.push(await notes.delay('off', uuid));
    }
    return { starts, stops };
  } finally {
    await end(observer);
    await daemon.stop();
  }
};
