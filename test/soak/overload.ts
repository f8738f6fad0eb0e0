import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { firstValueFrom } from 'rxjs';

import { lookAtDisk } from '../../src/client/read-disk.ts';
import { ask$ } from '../../src/client/status-request.ts';
import type { Status } from '../../src/daemon/status/status.ts';
import { parseDocument } from '../../src/client/watch-document.ts';
import { until } from '../support/daemon.ts';
import { startLibvirtd } from '../support/libvirtd.ts';
import { burden, loadNow, threadsOf } from './burden.ts';
import { numbers } from './domains.ts';
import { type Flap, flaps } from './flaps.ts';
import { type LogLines, logLines } from './log-lines.ts';
import { startProgram } from './program.ts';

export interface OverloadOptions {
  readonly minutes: number;
  readonly loops: number;
  /** Number of domains that always run, and of those that start and stop. */
  readonly staying: number;
  readonly changing: number;
  readonly say: (line: string) => void;
}

/** Results of a daemon on an overloaded host; times in seconds, CPU in milliseconds a second. */
export interface Overloaded {
  readonly seconds: number;
  readonly documents: number;
  readonly flaps: readonly Flap[];
  /**
   * Number of values of actions that vanished: on such a host actions may reach their deadline of 1 s, and lose their
   * value.
   */
  readonly cut: number;
  readonly changes: number;
  readonly ticks: number;
  readonly skipped: number;
  /** Metrics and domains that the first document lacks. */
  readonly missingAtStart: readonly string[];
  readonly log: LogLines;
  readonly load: { readonly least: number; readonly most: number };
  readonly cpu: { readonly mean: number; readonly most: number; readonly busiest: string };
  readonly code: number | null;
}

const stat = (context: 'host' | 'vm', name: string): string =>
  `<metric type="real64" context="${context}"><name>${name}</name><stat>${name}</stat></metric>`;
const action = (context: 'host' | 'vm', name: string, command: string, more = ''): string =>
  `<metric type="string" context="${context}" ${more}><name>${name}</name><action>${command}</action></metric>`;

const ACTIONS = new Set(['Action', 'Name']);
const HOST = ['host.time', 'host.cpu.time', 'host.memory.free', 'host.load.1'];
const GUEST = ['cpu.time', 'vcpu.current', 'balloon.current', 'balloon.maximum', 'vcpu.*.delay'];
const METRICS = [
  ...HOST.map((name) => stat('host', name)),
  action('host', 'Action', 'date +%s'),
  ...GUEST.map((name) => stat('vm', name)),
  action('vm', 'Name', 'echo NAME', 'period="10"'),
].join('');

const LOOK = 50;
const CPU_EVERY = 10_000;
const CHANGE_EVERY = 2000;
const PATIENCE = 120_000;

/** Runs the built daemon at a period of 1 s beside busy loops, while domains start and stop; checks each document. */
export const overload = async ({ minutes, loops, staying, changing, say }: OverloadOptions): Promise<Overloaded> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-overload-'));
  const disk = path.join(folder, 'disk');
  const config = path.join(folder, 'vhostmd.conf');
  writeFileSync(
    config,
    `<vhostmd><globals><disk><name>d</name><path>${disk}</path><size unit="k">1024</size></disk>` +
      `<update_period>1</update_period><path>/usr/sbin:/sbin:/usr/bin:/bin</path><transport>vbd</transport></globals>` +
      `<metrics>${METRICS}</metrics></vhostmd>\n`,
  );
  const libvirtd = await startLibvirtd();
  const unburden = burden(loops);
  const [alive, intervals] = [new Set<string>(), [] as NodeJS.Timeout[]];
  let program: ReturnType<typeof startProgram> | undefined;
  try {
    const start = async (name: string, uuid: string): Promise<void> => {
      await libvirtd.create(name, { uuid });
      alive.add(uuid);
    };
    for (let index = 0; index < staying; index += 1) await start(`staying-${index}`, randomUUID());
    say(`${staying} domains run; load ${loadNow()}`);

    const seen = flaps();
    program = startProgram(['-d', '-v', '-f', config, '-c', libvirtd.uri], { RUNTIME_DIRECTORY: folder });
    const { pid, output } = program;
    await until('the first snapshot', () => output().includes('Ready: '), PATIENCE);
    const from = performance.now();
    const seconds = (): number => (performance.now() - from) / 1000;
    let before = '';
    let missingAtStart: readonly string[] | undefined;
    const look = (): void => {
      const found = lookAtDisk(disk);
      if (found.kind !== 'content') return;
      const xml = found.content.toString('latin1');
      if (xml === before) return;
      before = xml;
      const metrics = parseDocument(xml);
      const lacking = (of: string, names: readonly string[], all: number): readonly string[] =>
        names.length < all ? [`${of} has ${names.join(', ')} only`] : [];
      const named = (all: typeof metrics.host): readonly string[] =>
        all.map(({ name }) => name).filter((name) => !ACTIONS.has(name));
      missingAtStart ??= [
        ...lacking('the host', named(metrics.host), HOST.length),
        ...metrics.vms.flatMap(({ uuid, metrics: own }) => lacking(uuid, named(own), GUEST.length)),
        ...(metrics.vms.length < staying ? [`${staying - metrics.vms.length} domains`] : []),
      ];
      seen.look(metrics, seconds(), (uuid) => alive.has(uuid));
    };
    intervals.push(setInterval(look, LOOK));

    let threads = threadsOf(pid);
    const cpu: { used: number; busiest: string }[] = [];
    const load: number[] = [];
    const measure = (): void => {
      const now = threadsOf(pid);
      const used = [...now].map(([thread, ms]) => [thread, ms - (threads.get(thread) ?? 0)] as const);
      threads = now;
      const [busiest = ['', 0]] = used.sort(([, one], [, other]) => other - one);
      const sum = used.reduce((total, [, ms]) => total + ms, 0);
      cpu.push({ used: (1000 * sum) / CPU_EVERY, busiest: `${busiest[0]}: ${Math.round(busiest[1])} ms` });
      load.push(loadNow());
      say(
        `${seconds().toFixed(0)} s: load ${load.at(-1)}, CPU ${cpu.at(-1)?.used.toFixed(1)} ms/s (${cpu.at(-1)?.busiest}), ` +
          `${seen.documents()} documents, ${seen.found().length} values vanished, ${logLines(output()).lines} lines`,
      );
    };
    intervals.push(setInterval(measure, CPU_EVERY));

    const number = numbers(1);
    const running = new Map<string, string>();
    let changes = 0;
    while (seconds() < minutes * 60) {
      const name = `changing-${number(changing)}`;
      const uuid = running.get(name);
      if (uuid === undefined) {
        const next = randomUUID();
        await start(name, next);
        running.set(name, next);
      } else {
        alive.delete(uuid);
        running.delete(name);
        await libvirtd.destroy(name);
      }
      changes += 1;
      await sleep(number(CHANGE_EVERY));
    }
    intervals.splice(0).forEach(clearInterval);
    const answer = await firstValueFrom(ask$([path.join(folder, 'status.sock')], PATIENCE));
    if (!answer.ok) throw new Error(answer.error.join('; '));
    const { ticks, skippedTicks } = JSON.parse(answer.value) as Status;
    const ran = seconds();
    const most = cpu.reduce((one, other) => (other.used > one.used ? other : one), { used: 0, busiest: '' });
    return {
      seconds: ran,
      documents: seen.documents(),
      flaps: seen.found().filter(({ metric }) => !ACTIONS.has(metric)),
      cut: seen.found().filter(({ metric }) => ACTIONS.has(metric)).length,
      changes,
      ticks,
      skipped: skippedTicks,
      missingAtStart: missingAtStart ?? ['everything'],
      log: logLines(output()),
      load: { least: Math.min(...load), most: Math.max(...load) },
      cpu: {
        mean: cpu.reduce((sum, { used }) => sum + used, 0) / cpu.length,
        most: most.used,
        busiest: most.busiest,
      },
      code: await program.stop(),
    };
  } finally {
    intervals.forEach(clearInterval);
    await program?.stop();
    unburden();
    await libvirtd.close();
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Returns what is wrong; an empty list if all is well. */
export const overloadVerdict = (result: Overloaded): readonly string[] => {
  const { flaps: vanished, log, missingAtStart, ticks, skipped, seconds, code } = result;
  // The start and the end are at any time between two ticks.
  const off = Math.abs(ticks + skipped - seconds);
  const counts = new Map<string, number>();
  for (const { metric, uuid } of vanished) {
    const key = `${metric} of ${uuid === undefined ? 'the host' : 'a domain'}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [
    ...[...counts].map(([what, count]) => `${what} vanished ${count} times`),
    ...missingAtStart.map((what) => `the first snapshot is not whole: ${what}`),
    ...log.tooMany.map((what) => `more than one line of the log in a minute: ${what}`),
    ...(off > 10 ? [`${ticks} ticks and ${skipped} that were skipped make no ${seconds.toFixed(0)} s`] : []),
    ...(code === 0 ? [] : [`it ended with ${code}`]),
  ];
};
