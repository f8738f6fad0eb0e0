import { setTimeout as sleep } from 'node:timers/promises';

import type { PrivateLibvirtd } from '../test/support/libvirtd.ts';
import { end, startDaemon, startProgram } from './daemon.ts';
import type { Noted } from './programs/observer.ts';
import type { Bench } from './row.ts';

export const BACKGROUND = 40;
const PATIENCE = 15_000;

type Kind = Noted['kind'];
const WORDS: Readonly<Record<Kind, string>> = { on: 'start', off: 'stop', paused: 'pause' };

/** Keeps the first observation of each start, stop and pause, by libvirt and on the disk. */
const notebook = () => {
  const notes = new Map<string, number>();
  const key = (by: Noted['by'], kind: Kind, uuid: string): string => `${by} ${kind} ${uuid}`;
  return {
    note: ({ by, kind, uuid, at }: Noted): void => {
      // libvirt reports a start in several steps.
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
      throw new Error(`${missing} within ${PATIENCE} ms (a domain's ${WORDS[kind]})`);
    },
  };
};

type Delay = ReturnType<typeof notebook>['delay'];
interface Files {
  readonly config: string;
  readonly disk: string;
}

/** Runs QEMU VMs beside others, with a daemon of its own and an observer of libvirt's events and of the disk. */
const observed = async (
  { machines }: Bench,
  { config, disk }: Files,
  work: (libvirtd: PrivateLibvirtd, delay: Delay) => Promise<void>,
): Promise<void> => {
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
    await work(libvirtd, notes.delay);
  } finally {
    await end(observer);
    await daemon.stop();
  }
};

/** Returns the ms from libvirt's events to the disk for `times` starts and stops of a VM. */
export const startsAndStops = async (
  bench: Bench,
  files: Files,
  name: string,
  times: number,
): Promise<{ readonly starts: readonly number[]; readonly stops: readonly number[] }> => {
  const starts: number[] = [];
  const stops: number[] = [];
  await observed(bench, files, async (libvirtd, delay) => {
    for (let time = 0; time < times; time += 1) {
      const uuid = await libvirtd.create(`${name}-${time}`, { paused: false });
      starts.push(await delay('on', uuid));
      await libvirtd.destroy(uuid);
      stops.push(await delay('off', uuid));
    }
  });
  return { starts, stops };
};

/** Returns the ms from libvirt's event to the disk for `times` pauses of a VM, each of another one. */
export const pauses = async (bench: Bench, files: Files, name: string, times: number): Promise<readonly number[]> => {
  const delays: number[] = [];
  await observed(bench, files, async (libvirtd, delay) => {
    for (let time = 0; time < times; time += 1) {
      const uuid = await libvirtd.create(`${name}-${time}`, { paused: false });
      await delay('on', uuid);
      // Further events of a start may still be collected into one snapshot.
      await sleep(200);
      await libvirtd.virsh('suspend', uuid);
      delays.push(await delay('paused', uuid));
      await libvirtd.destroy(uuid);
    }
  });
  return delays;
};
