import { mkdirSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { readMetrics, until } from '../support/daemon.ts';
import type { PrivateLibvirtd } from '../support/libvirtd.ts';
import { type Accelerated, type AcceleratedOptions, startAccelerated } from './accelerated.ts';
import { type Checker, checkDisks } from './checker.ts';
import { type Configurations, writeConfigurations } from './configurations.ts';
import { descriptorKinds, type Outside, outsideOf } from './outside.ts';
import type { Inside } from './programs/accelerated.ts';

/** Measurements at one time; memory in MiB. */
export interface Sample extends Outside {
  readonly ticks: number;
  readonly heap: number;
  readonly external: number;
}

/** Measurements while only ticks cause work, after a full garbage collection. */
export interface Quiet extends Sample {
  /** The descriptors by kind, and the resources that keep the event loop alive. */
  readonly kinds: string;
}

/** One daemon with its configurations and measurements. */
export interface Subject {
  readonly name: string;
  readonly daemon: Accelerated;
  readonly configurations: Configurations;
  readonly checker: Checker;
  readonly samples: readonly Sample[];
  readonly quiets: readonly Quiet[];
  readonly scrapes: () => number;
  readonly sample: () => Promise<void>;
  /** Changes to the next configuration, without waiting for the one before. */
  readonly reload: () => void;
  readonly scrape: () => void;
  /** Waits until libvirt's domains are on the disk and only ticks cause work, then measures. */
  readonly calm: (libvirtd: PrivateLibvirtd) => Promise<void>;
}

const MIB = 1024 * 1024;
const SETTLES = 10_000;
const LOOK = 200;
const SAME = 5;

const inMiB = ({ heap, external }: Inside) => ({ heap: heap / MIB, external: external / MIB });

const isShown = async (disk: string, uuids: readonly string[]): Promise<boolean> => {
  const shown = new Set((await readMetrics(disk)).flatMap(({ uuid }) => (uuid === undefined ? [] : [uuid])));
  return shown.size === uuids.length && uuids.every((uuid) => shown.has(uuid));
};

// Gives up after a while and measures anyway, so that the verdict finds the leak.
const settled = async (pid: number, most: number): Promise<Outside> => {
  let [before, same] = [-1, 0];
  for (const end = performance.now() + SETTLES; ; await sleep(LOOK)) {
    const outside = outsideOf(pid);
    const { children, descriptors } = outside;
    same = descriptors === before ? same + 1 : 0;
    before = descriptors;
    if (children === 0 && same >= SAME && (most === 0 || descriptors <= most)) return outside;
    if (performance.now() > end) return outside;
  }
};

/** Starts a daemon in its own folder. */
export const startSubject = (
  name: string,
  folder: string,
  uri: string,
  period: number,
  options: AcceleratedOptions = {},
): Subject => {
  const own = path.join(folder, name);
  mkdirSync(path.join(own, 'disks'), { recursive: true });
  const configurations = writeConfigurations(own);
  const daemon = startAccelerated(configurations.busy[0], uri, period, options);
  const checker = checkDisks(configurations.disks);
  const samples: Sample[] = [];
  const quiets: Quiet[] = [];
  let [next, scrapes] = [0, 0];
  return {
    name,
    daemon,
    configurations,
    checker,
    samples,
    quiets,
    scrapes: () => scrapes,
    sample: async () => {
      const inside = await daemon.measure(false);
      samples.push({ ticks: daemon.ticks(), ...outsideOf(daemon.pid), ...inMiB(inside) });
    },
    reload: () => daemon.reload(configurations.busy[(next += 1) % configurations.busy.length] ?? ''),
    scrape: () => {
      const asked = request({ socketPath: configurations.page, path: '/metrics', agent: false }, (response) => {
        response.on('end', () => (scrapes += 1));
        response.on('error', () => undefined);
        // Every tenth client disconnects in the middle of the page.
        if (scrapes % 10 === 9) response.once('data', () => asked.destroy());
        response.resume();
      });
      asked.on('error', () => undefined);
      asked.on('close', () => (scrapes += scrapes % 10 === 9 ? 1 : 0));
      asked.end();
    },
    calm: async (libvirtd) => {
      await daemon.change(configurations.calm);
      const uuids = (await libvirtd.virsh('-c', uri, 'list', '--uuid')).split('\n').filter(Boolean);
      await until(
        `exactly the ${uuids.length} domains that run are on the disk of ${name}`,
        async () => await isShown(configurations.calmDisk, uuids),
        SETTLES,
      );
      const { descriptors, threads, children } = await settled(
        daemon.pid,
        Math.max(0, ...quiets.map((quiet) => quiet.descriptors)),
      );
      const inside = await daemon.measure(true);
      const kinds = `${descriptorKinds(daemon.pid)}; ${JSON.stringify(inside.resources)}`;
      const { rss, anonymous } = outsideOf(daemon.pid);
      const outside = { rss, anonymous, descriptors, threads, children };
      quiets.push({ ticks: daemon.ticks(), ...outside, ...inMiB(inside), kinds });
    },
  };
};
