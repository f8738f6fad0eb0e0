import { readFileSync } from 'node:fs';

import { firstValueFrom, of, Subscription, toArray } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';

import { STATISTICS } from '../../src/model/statistics.ts';
import { contentionCollectors } from '../../src/sources/contention/contention-stats.ts';
import { READERS } from '../../src/sources/contention/readers.ts';
import { connect$ } from '../../src/sources/libvirt/connection.ts';
import type { Connection } from '../../src/sources/libvirt/types.ts';
import { monotonicScheduler } from '../../src/system/monotonic.ts';
import { statMetric } from '../sources/fake-libvirt.ts';
import { until } from '../support/daemon.ts';
import { makeGroup, removeGroup, startMachine, threadsOf } from './busy-machine.ts';
import { libvirtStage } from './libvirt-stage.ts';

const stage = libvirtStage();
const NAMES = Object.keys(READERS);
const metrics = NAMES.map((name, index) =>
  statMetric(name, STATISTICS.vm.find((one) => one.name === name)?.type, index),
);

let undo: readonly (() => void)[] = [];
let open = new Subscription();
afterEach(async () => {
  open.unsubscribe();
  open = new Subscription();
  await removeGroup(undo);
  undo = [];
});

/** Starts a VM of one CPU whose boot sector is an endless loop. */
const busyMachine = async () => {
  const { libvirtd } = stage();
  const uuid = await startMachine(stage());
  const connection = await new Promise<Connection>((resolve, reject) =>
    open.add(connect$(libvirtd.uri).subscribe({ next: resolve, error: reject })),
  );
  const domain = (await firstValueFrom(connection.domains$())).find((one) => one.uuid === uuid);
  if (domain === undefined) throw new Error('the domain does not run');
  const [collector] = contentionCollectors(metrics, of({ up: true, connection }), monotonicScheduler);
  const values = async (): Promise<Readonly<Record<string, string>>> => {
    const readings = (await firstValueFrom(collector!.collect$([domain]).pipe(toArray()))).flat();
    return Object.fromEntries(
      readings.map(({ metric, outcome }) => [
        metric.name.replace('contention.', ''),
        outcome.ok ? (outcome.samples[0]?.value ?? '') : outcome.reason,
      ]),
    );
  };
  return { uuid, domain, pid: libvirtd.qemuPid(uuid), values, libvirtd };
};

const delayOf = (pid: number): number =>
  threadsOf(pid)
    .filter(({ comm }) => comm.startsWith('CPU '))
    .reduce((sum, { delay }) => sum + delay, 0);

describe('Contention of a real VM', () => {
  it('is what the kernel says of its threads and of its swapped memory', async () => {
    const { pid, values } = await busyMachine();
    const first = delayOf(pid);
    const between = await values();
    expect(Number(between['cpu.delay'])).toBeGreaterThanOrEqual(first);
    expect(Number(between['cpu.delay'])).toBeLessThanOrEqual(delayOf(pid));
    expect(Number(between['cpu.delay.other'])).toBeGreaterThan(0);
    const swapped = /^VmSwap:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    expect(between['memory.swapped']).toBe(swapped);
    // libvirt of an ordinary user makes no control groups.
    expect(between['quota.time']).toBe('libvirt has made no control group for the domain');
  });

  it('is throttling and pressure in its own control group, and silence after its end', async () => {
    const { uuid, domain, pid, values, libvirtd } = await busyMachine();
    undo = makeGroup(domain.id, pid, 10_000);
    const before = await values();
    expect(before['pressure.cpu.some.avg10']).toMatch(/^\d+\.\d+$/);
    await until('the quota has stopped the virtual CPU for half a second', async () => {
      const now = await values();
      return Number(now['quota.time']) - Number(before['quota.time']) > 5e8;
    });
    const after = await values();
    expect(Number(after['quota.throttled'])).toBeGreaterThan(Number(before['quota.throttled']));
    expect(Number(after['quota.periods'])).toBeGreaterThanOrEqual(Number(after['quota.throttled']));
    expect(Number(after['pressure.cpu.some.total'])).toBeGreaterThan(Number(before['pressure.cpu.some.total']));
    await libvirtd.destroy(uuid);
    expect(await values()).toEqual({});
  });
});
