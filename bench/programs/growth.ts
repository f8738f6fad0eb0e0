// Runs sources, streams and the disk for a number of domains of a synthetic local QEMU driver: status files, pid files
// and /proc are files in memory, and virDomainGetInfo answers at once. Sends the costs.
// Arguments: an empty folder, the numbers of domains and of events, and the seconds of a storm of 1,000 events each.
import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { EMPTY, merge, NEVER, of, Subject } from 'rxjs';

import type { Domain, DomainEvent, MetricDefinition, MetricType, Snapshot } from '../../src/model/metric.ts';
import { metricsDisk } from '../../src/sinks/metrics-disk/shared-disk-sink.ts';
import { domainCollectors } from '../../src/sources/libvirt/domain-stats.ts';
import { localInfo } from '../../src/sources/libvirt/local-info.ts';
import type { Connection, DomainStats } from '../../src/sources/libvirt/types.ts';
import type { Sources } from '../../src/sources/source.ts';
import { snapshot$ } from '../../src/streams/snapshot.ts';
import { monotonicScheduler } from '../../src/system/monotonic.ts';
import { cpuTime } from '../../src/system/process/cpu-time.ts';

/** Costs for one number of domains. CPU times of all threads, in ms; those of ticks and events are medians. */
export interface Growth {
  readonly tick: number;
  readonly start: number;
  readonly stop: number;
  /** Until the first snapshot is on the disk. */
  readonly first: number;
  /** Resident memory after that, in bytes. */
  readonly memory: number;
  readonly storm?: {
    /** Share of the time of one core, events included. */
    readonly share: number;
    readonly snapshotsPerSecond: number;
  };
}

const PERIOD = 5000;
// That of conf/vhostmd.xml: most of ten thousand domains do not fit.
const DISK = 256 * 1024;
const TICKS = 15;
// Longer than the streams collect changes into one.
const PAUSE = 80;

const [folder = '', domainCount = '', eventCount = '', stormSeconds = '0'] = process.argv.slice(2);

const metrics = (
  [
    ['TotalCPUTime', 'real64', 'cpu.time'],
    ['ResourceProcessorLimit', 'uint32', 'vcpu.current'],
    ['ResourceMemoryLimit', 'uint64', 'balloon.maximum'],
    ['PhysicalMemoryAllocatedToVirtualSystem', 'uint64', 'balloon.current'],
  ] satisfies readonly (readonly [string, MetricType, string])[]
).map(([name, type, stat], index): MetricDefinition => ({
  index,
  name,
  type,
  context: 'vm',
  source: { kind: 'stat', stat },
  variables: [],
  every: 1,
  timeout: PERIOD,
  place: { file: 'synthetic', line: 1, column: 1 },
}));

const proc = path.join(folder, 'proc');
const state = path.join(folder, 'qemu');
let time = 0;
const writeCpuTime = (pid: number): void => {
  const stat = `${pid} (qemu-system-x86) S 1 1 1 0 -1 0 0 0 0 0 ${time} 0 0 0 20 0 3 0 99 0 0\n`;
  writeFileSync(path.join(proc, String(pid), 'stat'), stat);
};
// Each change of the status files is in a second of its own, since those of one moment count as one.
let second = Date.now() / 1000 - 1e6;
const change = (): void => utimesSync(state, (second += 1), second);
const appear = ({ id, uuid, name }: Domain): void => {
  mkdirSync(path.join(proc, String(id)), { recursive: true });
  writeCpuTime(id);
  writeFileSync(path.join(proc, String(id), 'cmdline'), `qemu-system-x86_64\0-uuid\0${uuid}\0`);
  writeFileSync(path.join(state, `${name}.pid`), `${id}\n`);
  writeFileSync(path.join(state, `${name}.new`), 'status');
  utimesSync(path.join(state, `${name}.new`), second, second);
  renameSync(path.join(state, `${name}.new`), path.join(state, `${name}.xml`));
};

const domainOf = (id: number): Domain => ({
  uuid: `00000000-0000-4000-8000-${id.toString(16).padStart(12, '0')}`,
  id,
  name: `vm-${id}`,
});
const domains = Array.from({ length: Number(domainCount) }, (_, index) => domainOf(index + 1));
mkdirSync(state, { recursive: true });
for (const domain of domains) appear(domain);
change();

const info$ = (domain: Domain) =>
  of<DomainStats>({
    domain,
    fields: new Map<string, bigint | number>([
      ['state.state', 1],
      ['cpu.time', BigInt(time) * 10_000_000n],
      ['vcpu.current', 2],
      ['balloon.current', 1_048_576],
      ['balloon.maximum', 1_048_576],
    ]),
  });
const local = localInfo(state, info$, { proc });
const connection: Connection = {
  product: 'synthetic',
  host$: () => EMPTY,
  reports: { lifecycle: true, devices: true },
  lifecycle$: NEVER,
  devices$: NEVER,
  doubt$: NEVER,
  change$: NEVER,
  domains$: () => EMPTY,
  defined$: () => EMPTY,
  channel$: () => EMPTY,
  info$: local.info$,
  localInfo: local.localInfo,
  stats$: () => EMPTY,
  xml$: () => EMPTY,
  isHeld$: () => EMPTY,
  job$: () => EMPTY,
  blockJob$: () => EMPTY,
};

const tick$ = new Subject<number>();
const event$ = new Subject<DomainEvent>();
const sources: Sources = {
  tick$,
  domain$: event$,
  isFromLibvirt: () => false,
  hostStats$: () => of([]),
  domainCollectors: domainCollectors(metrics, merge(of({ up: true, connection } as const), NEVER), monotonicScheduler),
  action$: () => EMPTY,
};

let written = 0;
let newest: Snapshot | undefined;
metricsDisk({ path: path.join(folder, 'disk'), size: DISK, scheduler: monotonicScheduler })
  .run(snapshot$(sources, metrics, PERIOD, monotonicScheduler))
  .subscribe((report) => {
    if (report.kind === 'failed') throw new Error(report.message);
    if (report.kind !== 'written') return;
    written += 1;
    newest = report.snapshot;
  });

/** Returns the CPU time of a step and of what it leaves to other threads. */
const costOf = async (step: () => void): Promise<number> => {
  const [before, from] = [written, cpuTime()];
  step();
  await sleep(PAUSE);
  if (written !== before + 1) throw new Error(`${written - before} snapshots instead of one were written`);
  return cpuTime() - from;
};
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

event$.next({ kind: 'sync', domains });
await sleep(PAUSE);
const first = await costOf(() => tick$.next(0));
const ticks: number[] = [];
for (let number = 1; number <= TICKS; number += 1) {
  time += 7;
  for (const { id } of domains) writeCpuTime(id);
  ticks.push(await costOf(() => tick$.next(number)));
}
const [starts, stops]: [number[], number[]] = [[], []];
for (let number = 1; number <= Number(eventCount); number += 1) {
  const domain = domainOf(domains.length + number);
  appear(domain);
  change();
  starts.push(await costOf(() => event$.next({ kind: 'running', domain })));
  // In the middle: everything behind it moves.
  const gone = domains.length > Number(eventCount) * 2 ? domainOf(domains.length / 2 + number) : domain;
  stops.push(
    await costOf(() => {
      local.drop(gone.uuid);
      event$.next({ kind: 'gone', uuid: gone.uuid });
    }),
  );
}
const memory = process.memoryUsage.rss();

/** Ends and starts one domain after the other, each start a new run, 1,000 events per second. */
const stormOf = async (seconds: number): Promise<NonNullable<Growth['storm']>> => {
  const running = [...domains];
  event$.next({ kind: 'sync', domains });
  await sleep(PAUSE);
  let id = domains.length + 1_000_000;
  const [before, from, start] = [written, cpuTime(), performance.now()];
  for (let events = 0; events < seconds * 1000; await sleep(1)) {
    for (; events < Math.min(seconds * 1000, performance.now() - start); events += 2) {
      const at = (events / 2) % running.length;
      const domain = { ...(running[at] ?? domainOf(1)), id: (id += 1) };
      local.drop(domain.uuid);
      event$.next({ kind: 'gone', uuid: domain.uuid });
      event$.next({ kind: 'running', domain });
      running[at] = domain;
    }
  }
  const isExact = (): boolean => {
    const last = new Set(newest?.domainMetrics.map(({ domain }) => domain));
    return last.size === running.length && running.every((domain) => last.has(domain));
  };
  const until = performance.now() + PERIOD;
  for (await sleep(PAUSE); !isExact(); await sleep(PAUSE))
    if (performance.now() > until) throw new Error('the last snapshot does not have exactly the domains that run');
  const elapsed = performance.now() - start;
  return { share: (cpuTime() - from) / elapsed, snapshotsPerSecond: ((written - before) / elapsed) * 1000 };
};

const growth: Growth = {
  tick: median(ticks.slice(TICKS / 3)),
  start: median(starts),
  stop: median(stops),
  first,
  memory,
  ...(stormSeconds === '0' ? {} : { storm: await stormOf(Number(stormSeconds)) }),
};
rmSync(folder, { recursive: true });
process.send?.(growth, () => process.exit(0));
