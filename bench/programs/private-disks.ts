// Drives the private disks of synthetic domains; sends the CPU time in ms of each kind of snapshot, and the memory.
// Arguments: the folder of the disks, the number of domains, the number of updates of each.
import { writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Subject } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import type { Domain, DomainMetrics, KnownDomain, Sample, Snapshot } from '../../src/model/metric.ts';
import { monotonicScheduler } from '../../src/system/monotonic.ts';
import { cpuTime } from '../../src/system/process/cpu-time.ts';
import { privateDisks } from '../../src/sinks/metrics-disk/private-disks-sink.ts';
import { memoryOf } from '../proc.ts';

export interface PrivateDiskCosts {
  /** CPU time in ms of ticks at which all values change. */
  readonly changed: readonly number[];
  /** CPU time in ms of ticks at which no value changes. */
  readonly touched: readonly number[];
  /** CPU time in ms of snapshots between ticks without a change. */
  readonly skipped: readonly number[];
  /** Longest time in ms that one of the changed snapshots blocks the event loop. */
  readonly heldUp: readonly number[];
  /** CPU time in ms to create all disks. */
  readonly made: number;
  /** Resident memory in MiB: before the first disk, with all disks, and after all updates. */
  readonly before: number;
  readonly after: number;
  readonly last: number;
  /** Number of pwrite calls of the last tick without a change and of the last snapshot between ticks. */
  readonly writes: number;
}

const MEASURED = 50;

const [folder = '', domainCount = '', updateCount = ''] = process.argv.slice(2);

const domains = Array.from({ length: Number(domainCount) }, (_, id): Domain & KnownDomain => {
  const uuid = `00000000-0000-4000-8000-${id.toString(16).padStart(12, '0')}`;
  return { uuid, id: id + 1, name: `vm-${id}`, persistent: true };
});

// Most updates only measure memory, so they are small and not divided into time slices.
let hasty = false;
const scheduler: SchedulerLike = { ...monotonicScheduler, now: () => (hasty ? 0 : monotonicScheduler.now()) };

const sample = (name: string, value: number): Sample => ({ name, type: 'uint64', value: String(value) });
// Same number and length of names as in the default configuration.
const HOST = Array.from({ length: 13 }, (_, index) => `NameOfMetricOfTheHost${index}`);
const OWN = ['TotalCPUTime', 'ResourceProcessorLimit', 'ResourceMemoryLimit', 'PhysicalMemoryAllocatedToVirtualSystem'];

const hostAt = (round: number): readonly Sample[] =>
  HOST.slice(hasty ? -1 : 0).map((name, index) => sample(name, round * index + 10_000));
const guestsAt = (round: number): readonly DomainMetrics[] =>
  domains.map((domain) => ({
    domain,
    samples: OWN.slice(hasty ? -1 : 0).map((name, at) => sample(name, (round * 7 + domain.id) * at)),
  }));

let tick = 0;
const snapshotOf = (
  host: readonly Sample[],
  domainMetrics: readonly DomainMetrics[],
  cause: Snapshot['cause'],
): Snapshot => {
  if (cause === 'tick') tick += 1;
  return { cause, tick, at: tick * 5000, host, domainMetrics, missing: [], domains };
};

let writes = 0;
let done: () => void = () => undefined;
const snapshots = new Subject<Snapshot>();
privateDisks({
  path: path.join(folder, 'UUID.disk'),
  size: 65_536,
  scheduler,
  pwrite: (fd, bytes, offset, length, position) => {
    writes += 1;
    return writeSync(fd, bytes, offset, length, position);
  },
})
  .run(snapshots)
  .subscribe((report) => {
    if (report.kind === 'failed' || report.kind === 'warning') throw new Error(report.message);
    if (report.kind === 'written') done();
  });

/** Returns the CPU time of one snapshot on all disks, and the longest time that the event loop was blocked, in ms. */
const publish = async (snapshot: Snapshot): Promise<{ readonly cpu: number; readonly heldUp: number }> => {
  let heldUp = 0;
  let last = performance.now();
  const look = (): void => {
    heldUp = Math.max(heldUp, performance.now() - last);
    last = performance.now();
  };
  const from = cpuTime();
  const written = new Promise<void>((resolve) => (done = resolve));
  const watch = setInterval(look, 1);
  snapshots.next(snapshot);
  await written;
  look();
  clearInterval(watch);
  return { cpu: cpuTime() - from, heldUp };
};

await sleep(100);
const before = memoryOf(process.pid).all;
const made = (await publish(snapshotOf(hostAt(0), guestsAt(0), 'tick'))).cpu;
const after = memoryOf(process.pid).all;
const costs = { changed: [] as number[], touched: [] as number[], skipped: [] as number[], heldUp: [] as number[] };
let [host, domainMetrics] = [hostAt(0), guestsAt(0)];
for (let round = 1; round <= Number(updateCount); round += 1) {
  hasty = round <= Number(updateCount) - MEASURED;
  [host, domainMetrics] = [hostAt(round), guestsAt(round)];
  const cost = await publish(snapshotOf(host, domainMetrics, 'tick'));
  if (hasty) continue;
  costs.changed.push(cost.cpu);
  costs.heldUp.push(cost.heldUp);
}
const last = memoryOf(process.pid).all;
writes = 0;
for (let round = 0; round < MEASURED; round += 1) {
  costs.touched.push((await publish(snapshotOf([...host], [...domainMetrics], 'tick'))).cpu);
  costs.skipped.push((await publish(snapshotOf(host, [...domainMetrics], 'change'))).cpu);
}
process.send?.({ ...costs, made, before, after, last, writes } satisfies PrivateDiskCosts, () => process.exit(0));
