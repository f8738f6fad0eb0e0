import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { until } from '../support/daemon.ts';
import { startLibvirtd } from '../support/libvirtd.ts';
import { processesWith } from '../support/processes.ts';
import { SLEEP } from './configurations.ts';
import { type Domains, qemuDomains, testDomains } from './domains.ts';
import { startSubject, type Subject } from './subject.ts';

export interface SoakOptions {
  readonly ticks: number;
  /** Milliseconds. */
  readonly period: number;
  /** Number of parts; each ends with measurements at a quiet time. */
  readonly parts: number;
  /** Adds a daemon that leaks 1 KiB at each tick and a descriptor at each reload. */
  readonly leaky?: boolean;
  /** Options of the daemons' Node. */
  readonly flags?: readonly string[];
  readonly say: (line: string) => void;
}

export interface Event {
  readonly kind: 'libvirtd killed' | 'libvirtd frozen';
  readonly ticks: number;
}

export interface Soaked {
  readonly subjects: readonly Subject[];
  readonly events: readonly Event[];
  readonly domains: readonly Domains[];
  /** Exit codes of the daemons. */
  readonly codes: readonly (number | null)[];
  /** Number of processes that outlived their daemon. */
  readonly left: number;
}

const QEMUS = 4;
const TESTS = 40;
const SAMPLES_PER_PART = 12;
const STEP = 250;
const FREEZE = 2000;

/** Runs daemons for that many ticks under load of every kind, and measures them. */
export const soak = async ({ ticks, period, parts, leaky = false, flags = [], say }: SoakOptions): Promise<Soaked> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-soak-'));
  const libvirtd = await startLibvirtd();
  const domains = [qemuDomains(libvirtd, QEMUS), await testDomains(libvirtd, path.join(folder, 'domains'), TESTS)];
  const [qemu, test] = domains.map(({ uri }) => uri);
  const events: Event[] = [];
  const subjects: Subject[] = [];
  let sampling: NodeJS.Timeout | undefined;
  const everyone = async (what: (subject: Subject) => Promise<unknown>): Promise<void> =>
    void (await Promise.all(subjects.map(what)));
  const done = (): number => Math.min(...subjects.map(({ daemon }) => daemon.ticks()));

  const fault = async (part: number): Promise<void> => {
    if (part % 4 === 1) {
      events.push({ kind: 'libvirtd killed', ticks: done() });
      libvirtd.kill('SIGKILL');
      await sleep(500);
      await libvirtd.start();
      for (const { rest } of domains) await rest();
    } else if (part % 4 === 3) {
      events.push({ kind: 'libvirtd frozen', ticks: done() });
      libvirtd.kill('SIGSTOP');
      await sleep(FREEZE);
      libvirtd.kill('SIGCONT');
    }
  };
  const busyPart = async (part: number): Promise<void> => {
    const end = ((part + 1) * ticks) / parts;
    for (const { configurations, daemon } of subjects) daemon.reload(configurations.busy[0]);
    for (let step = 0; done() < end || step < 8; step += 1) {
      await domains[1]?.churn();
      if (step % 6 === 1) await domains[0]?.churn();
      if (step % 4 === 2) for (const subject of subjects) subject.scrape();
      if (step % 8 === 3) for (const subject of subjects) subject.reload();
      // Several reloads at once.
      if (step % 32 === 11) for (const subject of subjects) for (const _ of [1, 2, 3]) subject.reload();
      if (step === 5) await fault(part);
      await sleep(STEP);
    }
  };

  try {
    for (const { rest } of domains) await rest();
    subjects.push(
      startSubject('qemu', folder, qemu ?? '', period, { flags }),
      startSubject('test', folder, test ?? '', period, { flags }),
    );
    if (leaky) subjects.push(startSubject('leaky', folder, qemu ?? '', period, { leak: true, flags }));
    await until('the first tick', () => done() > 0, 30_000);
    const sampleEvery = ticks / parts / SAMPLES_PER_PART;
    let next = 0;
    sampling = setInterval(() => {
      if (done() < next) return;
      next = done() + sampleEvery;
      void everyone(async ({ sample }) => await sample()).catch(() => undefined);
    }, 100);
    for (let part = 0; part < parts; part += 1) {
      await busyPart(part);
      for (const { rest } of domains) await rest();
      await everyone(async ({ calm }) => await calm(libvirtd));
      for (const { name, quiets, daemon, checker } of subjects) {
        const at = quiets.at(-1);
        say(
          `${name}: ${at?.ticks} ticks, ${daemon.reloads()} reloads, RSS ${at?.rss.toFixed(1)} MiB, heap ${at?.heap.toFixed(2)} MiB, ` +
            `${at?.descriptors} descriptors, ${at?.threads} threads, ${at?.children} children, ${checker.reads()} reads of disks` +
            ((at?.descriptors ?? 0) > (quiets[0]?.descriptors ?? 0) ? `; ${at?.kinds}` : '') +
            [...daemon.failures().slice(-1), ...checker.faults().slice(-1)].map((line) => `; ${line}`).join(''),
        );
      }
    }
    clearInterval(sampling);
    // While actions run.
    for (const { configurations, daemon } of subjects) await daemon.change(configurations.busy[0]);
    await sleep(3000);
    const codes = await Promise.all(subjects.map(async ({ daemon }) => await daemon.stop()));
    await sleep(500);
    const left = processesWith('cmdline', `sleep\0${SLEEP}\0`).length;
    return { subjects, events, domains, codes, left };
  } finally {
    clearInterval(sampling);
    for (const { checker, daemon } of subjects) {
      checker.stop();
      await daemon.stop();
    }
    for (const { close } of domains) close();
    await libvirtd.close();
    rmSync(folder, { recursive: true, force: true });
  }
};
