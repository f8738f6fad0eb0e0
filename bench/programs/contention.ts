// Collects all statistics of contention from real QEMU processes in control groups of their own, which it makes as
// libvirt does; sends the CPU time of each collection in ms. Needs root.
// Arguments: the number of domains, the number of collections, and the pids; each pid may stand for several domains.
import { existsSync, mkdirSync, readSync, rmdirSync, writeFileSync } from 'node:fs';

import { firstValueFrom, of, type SchedulerLike, toArray } from 'rxjs';

import type { Domain, MetricDefinition } from '../../src/model/metric.ts';
import { STATISTICS } from '../../src/model/statistics.ts';
import { contentionCollectors } from '../../src/sources/contention/contention-stats.ts';
import type { QemuProcess } from '../../src/sources/libvirt/qemu-process.ts';
import type { Connection } from '../../src/sources/libvirt/types.ts';
import { monotonicScheduler } from '../../src/system/monotonic.ts';
import { cpuTime } from '../../src/system/process/cpu-time.ts';
import { openFiles } from '../../src/testing/contract.ts';

export interface ContentionCosts {
  readonly all: readonly number[];
  /** The files that a collection reads, read once by the same descriptors, and nothing else. */
  readonly reads: readonly number[];
  /** Number of those files. */
  readonly files: number;
  /** Values in a collection, without failures. */
  readonly values: number;
}

const [domainCount = '', collections = '', ...pids] = process.argv.slice(2);
const metrics = STATISTICS.vm
  .filter(({ name }) => name.startsWith('contention.'))
  .map(({ name, type }, index): MetricDefinition => ({
    index,
    name,
    type,
    context: 'vm',
    source: { kind: 'stat', stat: name },
    variables: [],
    every: 1,
    timeout: 5000,
    place: { file: 'synthetic', line: 1, column: 1 },
  }));

const HIERARCHIES = ['', '/cpu', '/memory', '/unified'].map((name) => `/sys/fs/cgroup${name}`);
const made: string[] = [];
const make = (folder: string): void => {
  if (existsSync(folder)) return;
  mkdirSync(folder);
  made.unshift(folder);
};
const group = (pid: string, id: number): void => {
  for (const top of HIERARCHIES.filter((folder) => existsSync(`${folder}/cgroup.procs`))) {
    make(`${top}/machine`);
    const folder = `${top}/machine/qemu-${id}-bench.libvirt-qemu`;
    make(folder);
    // Quotas of virtual CPUs.
    if (!top.endsWith('/memory')) make(`${folder}/vcpu0`);
    writeFileSync(`${folder}/cgroup.procs`, pid);
  }
};
/** Moves the processes back, and removes the groups. */
const ungroup = (): void => {
  for (const top of HIERARCHIES.filter((folder) => existsSync(`${folder}/cgroup.procs`)))
    for (const pid of pids) writeFileSync(`${top}/cgroup.procs`, pid);
  for (const folder of made) rmdirSync(folder);
};

const closing: (() => void)[] = [];
const processes = new Map<Domain, QemuProcess>();
for (let at = 0; at < Number(domainCount); at += 1) {
  const number = at % pids.length;
  const pid = pids[number] ?? '';
  const domain: Domain = {
    uuid: `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`,
    id: 900_000 + number,
    name: 'bench',
  };
  processes.set(domain, {
    pid,
    cpuTime: () => 1n,
    close: () => undefined,
    onClose: (close) => void closing.push(close),
  });
}
const connection = { process: (domain: Domain) => processes.get(domain) } as unknown as Connection;

/** Descriptors of the files about VMs that every collection reads. */
const kernelFiles = (): readonly number[] =>
  openFiles()
    .filter((file) => /\/(?:schedstat|cpu\.stat|\w+\.pressure)$/.test(file))
    .map((file) => Number.parseInt(file, 10));
const costOf = (work: () => void): number => {
  const from = cpuTime();
  work();
  return cpuTime() - from;
};

// The clock goes on by a period from one collection to the next: what is done once a minute counts with its share.
const PERIOD = 5000;
let now = 0;
const scheduler: SchedulerLike = { ...monotonicScheduler, now: () => now };

try {
  pids.forEach((pid, number) => group(pid, 900_000 + number));
  const [collector] = contentionCollectors(metrics, of({ up: true, connection }), scheduler);
  const domains = [...processes.keys()];
  const all: number[] = [];
  let values = 0;
  for (let number = 0; number < Number(collections); number += 1) {
    now = number * PERIOD;
    const from = cpuTime();
    const batches = await firstValueFrom(collector!.collect$(domains).pipe(toArray()));
    all.push(cpuTime() - from);
    values = batches.flat().filter(({ outcome }) => outcome.ok).length;
  }
  const settled = <T>(costs: readonly T[]): readonly T[] => costs.slice(Math.ceil(costs.length / 4));
  const files = kernelFiles();
  const buffer = Buffer.alloc(16_384);
  const reads = all.map(() => costOf(() => files.forEach((fd) => readSync(fd, buffer, 0, buffer.length, 0))));
  process.send?.({
    all: settled(all),
    reads: settled(reads),
    files: files.length,
    values,
  } satisfies ContentionCosts);
} finally {
  for (const close of closing) close();
  ungroup();
}
