import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { PrivateLibvirtd } from '../test/support/libvirtd.ts';
import { processBursts } from './bursts.ts';
import { type BenchDaemon, configuration, startDaemon } from './daemon.ts';
import { cpuOf } from './proc.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import { median } from './statistics.ts';

const DOMAINS = 40;
const PERIOD = 5000;
const STAT_TICKS = 10;
const ACTION_TICKS = 6;
// V8 compiles code after some dozen runs, and compiling costs more than running: the first ticks use a short period.
const WARM_UP_TICKS = 45;
const WARM_UP_PERIOD = 1000;

interface Cost {
  readonly ticks: number;
  readonly daemon: number;
  readonly children: number;
  readonly libvirtd: number;
  readonly all: number;
  readonly wall: number;
}

// Returns the ms since the tick of each publication in the log.
const publications = (text: string): readonly number[] =>
  Array.from(text.matchAll(/VM metrics of .*, ([\d.]+) ms$/gm), ([, ms]) => Number(ms));

const idleLibvirtd = async (pid: number): Promise<number> => {
  const { own } = cpuOf(pid);
  await sleep(PERIOD);
  return cpuOf(pid).own - own;
};

const measure = async (daemon: BenchDaemon, libvirtd: PrivateLibvirtd, idle: number, ticks: number): Promise<Cost> => {
  // The measurement starts and ends between two ticks.
  await sleep(1.5 * PERIOD);
  const said = daemon.output().length;
  const before = { daemon: cpuOf(daemon.pid), libvirtd: cpuOf(libvirtd.pid()) };
  const bursts = await processBursts(daemon.pid, ticks * PERIOD);
  const after = { daemon: cpuOf(daemon.pid), libvirtd: cpuOf(libvirtd.pid()) };
  const published = publications(daemon.output().slice(said));
  const own = (after.daemon.own - before.daemon.own) / ticks;
  const children = (after.daemon.children - before.daemon.children) / ticks;
  const libvirt = Math.max(0, (after.libvirtd.own - before.libvirtd.own) / ticks - idle);
  const walls = bursts.length > 0 ? bursts : published;
  if (walls.length === 0) throw new Error('the daemon does not say how long its collections take');
  const wall = median(walls);
  return { ticks, daemon: own, children, libvirtd: libvirt, all: own + children + libvirt, wall };
};

const telemetry = (
  what: string,
  { ticks, all, daemon, children, libvirtd, wall }: Cost,
  goal: Pick<Figure, 'target' | 'formerly'>,
): readonly Figure[] => {
  const part = (name: string, value: number): Figure => ({ what: `${what}: ${name}`, value, unit: 'ms', count: ticks });
  return [
    { ...part('CPU per tick in all', all), ...goal },
    part('CPU of the daemon', daemon),
    part('CPU of its processes', children),
    part('CPU of libvirtd', libvirtd),
    part('wall time per collection, median', wall),
  ];
};

const withPeriod = (config: string, ms: number): void =>
  writeFileSync(
    config,
    readFileSync(config, 'utf8').replace(
      /<update_period>[^<]*<\/update_period>/,
      `<update_period>${ms / 1000}</update_period>`,
    ),
  );

// The same process changes from the short period to that of the measurement.
const warmUp = async (daemon: BenchDaemon, config: string): Promise<void> => {
  await sleep(WARM_UP_TICKS * WARM_UP_PERIOD);
  withPeriod(config, PERIOD);
  process.kill(daemon.pid, 'SIGHUP');
};

const run = async ({ machines, directory, say }: Bench): Promise<Result> => {
  const libvirtd = await machines.atLeast(DOMAINS);
  const idle = await idleLibvirtd(libvirtd.pid());
  const costOf = async (file: string, name: string, ticks: number, warm: boolean): Promise<Cost> => {
    const { config } = configuration(file, directory, name);
    withPeriod(config, warm ? WARM_UP_PERIOD : PERIOD);
    const daemon = await startDaemon(config, libvirtd.uri, ['-v']);
    try {
      if (warm) say(`warming the daemon up with ${WARM_UP_TICKS} ticks`);
      if (warm) await warmUp(daemon, config);
      say(`measuring ${ticks} ticks with ${file}`);
      return await measure(daemon, libvirtd, idle, ticks);
    } finally {
      await daemon.stop();
    }
  };
  const stats = await costOf('conf/vhostmd.xml', 'stat', STAT_TICKS, true);
  const actions = await costOf('test/fixtures/config/rhel-style.xml', 'action', ACTION_TICKS, false);
  return {
    telemetry: [
      ...telemetry('<stat>', stats, { target: 15 }),
      ...telemetry('<action>', actions, { formerly: '4100 ms' }),
    ],
    notes: [
      `ticks: libvirtd's idle ${idle} ms per period are subtracted; <stat> is measured after ${WARM_UP_TICKS} ticks at a period of ` +
        `${WARM_UP_PERIOD / 1000} s, because a young process compiles; -v is on, for the wall time of <stat>; ` +
        'that of <action> is from the end of the first process to that of the last.',
    ],
  };
};

export const ticks: Row = {
  name: 'ticks',
  about: `the 17 metrics of SAP's set for ${DOMAINS} paused QEMU VMs, period 5 s, by <stat> and by shell actions`,
  run,
};
