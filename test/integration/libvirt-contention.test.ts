import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

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
import { libvirtStage } from './libvirt-stage.ts';

const stage = libvirtStage();
const NAMES = Object.keys(READERS);
const metrics = NAMES.map((name, index) =>
  statMetric(name, STATISTICS.vm.find((one) => one.name === name)?.type, index),
);

let undo: (() => void)[] = [];
let open = new Subscription();
afterEach(async () => {
  open.unsubscribe();
  open = new Subscription();
  for (const step of undo.toReversed()) {
    // The kernel may still be ending the group's processes.
    for (let tries = 0; tries < 100; tries += 1) {
      try {
        step();
        break;
      } catch {
        await sleep(50);
      }
    }
  }
  undo = [];
});

/** Starts a VM of one CPU whose boot sector is an endless loop. */
const busyMachine = async () => {
  const { libvirtd, folder } = stage();
  // QEMU runs as another user.
  chmodSync(folder, 0o755);
  const uuid = randomUUID();
  const disk = path.join(folder, `${uuid}.raw`);
  const image = Buffer.alloc(2 ** 20);
  // jmp $, and the signature of a boot sector.
  image.set([0xeb, 0xfe]);
  image.set([0x55, 0xaa], 510);
  const file = path.join(folder, `${uuid}.xml`);
  writeFileSync(
    file,
    `<domain type='qemu'><name>busy</name><uuid>${uuid}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>` +
      `<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>` +
      `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk}'/><target dev='vda' bus='virtio'/>` +
      `<readonly/></disk></devices></domain>`,
    { mode: 0o644 },
  );
  writeFileSync(disk, image, { mode: 0o644 });
  await libvirtd.virsh('create', file);
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

const threadsOf = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).map((tid) => {
    const read = (file: string): string => readFileSync(`/proc/${pid}/task/${tid}/${file}`, 'latin1');
    return { tid, comm: read('comm').trim(), delay: Number(read('schedstat').split(' ')[1]) };
  });
const delayOf = (pid: number): number =>
  threadsOf(pid)
    .filter(({ comm }) => comm.startsWith('CPU '))
    .reduce((sum, { delay }) => sum + delay, 0);

/** Makes a control group as libvirt does without systemd, with a quota of a tenth of a CPU for the virtual CPU. */
const limit = (id: number, pid: number): void => {
  const vcpu = threadsOf(pid).find(({ comm }) => comm.startsWith('CPU '));
  const make = (folder: string): void => {
    if (existsSync(folder)) return;
    mkdirSync(folder);
    undo.push(() => rmdirSync(folder));
  };
  const name = `qemu-${id}-busy.libvirt-qemu`;
  const cpu = '/sys/fs/cgroup/cpu';
  const unified = existsSync('/sys/fs/cgroup/unified') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';
  for (const top of existsSync(cpu) ? [cpu, unified] : [unified]) {
    make(`${top}/machine`);
    make(`${top}/machine/${name}`);
    writeFileSync(`${top}/machine/${name}/cgroup.procs`, String(pid));
  }
  if (!existsSync(cpu)) {
    for (const folder of [unified, `${unified}/machine`]) writeFileSync(`${folder}/cgroup.subtree_control`, '+cpu');
    writeFileSync(`${unified}/machine/${name}/cpu.max`, '10000 100000');
    return;
  }
  const folder = `${cpu}/machine/${name}/vcpu0`;
  make(folder);
  writeFileSync(`${folder}/cpu.cfs_quota_us`, '10000');
  writeFileSync(`${folder}/tasks`, vcpu?.tid ?? '');
};

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
    limit(domain.id, pid);
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
