import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { OldValue } from '../../src/daemon/telemetry/missing-metrics.ts';
import { ask$ } from '../../src/client/status-request.ts';
import type { Status } from '../../src/daemon/status/status.ts';
import { readMetrics, until, valueOf } from '../support/daemon.ts';
import { descriptorsOf, memoryOf } from '../support/processes.ts';
import { action, counting, domainsOn, libvirtStage, linesOf, stat, updatesOf } from './libvirt-stage.ts';
import { PATIENCE } from '../support/patience.ts';

const stage = libvirtStage();

const HOST = stat('host', 'host.time');
const QUICK = stat('vm', 'cpu.time') + stat('vm', 'balloon.maximum');
const MONITORED = stat('vm', 'vcpu.*.delay') + stat('vm', 'balloon.rss') + stat('vm', 'block.count');
const MONITORED_NAMES = ['vcpu.*.delay', 'balloon.rss', 'block.count'];

/** Returns a URI of the same libvirtd by a link to its socket, beside which the daemon finds no files of domains. */
const elsewhere = (): string => {
  const { libvirtd, folder } = stage();
  const link = path.join(mkdtempSync(path.join(folder, 'elsewhere-')), 'sock');
  symlinkSync(new URL(libvirtd.uri).searchParams.get('socket') ?? '', link);
  return `qemu+unix:///session?socket=${link}`;
};

const times = (text: string, what: RegExp): number => [...text.matchAll(what)].length;

/** Returns an environment for a daemon, and a function that requests its status. */
const withStatus = (folder: string) => {
  const env = { RUNTIME_DIRECTORY: mkdtempSync(path.join(folder, 'status-')) };
  const status = async (): Promise<Status | undefined> => {
    const answer = await firstValueFrom(ask$([path.join(env.RUNTIME_DIRECTORY, 'status.sock')]));
    return answer.ok ? (JSON.parse(answer.value) as Status) : undefined;
  };
  return { env, status };
};

describe('With libvirtd in trouble', () => {
  it(
    'FAULTS 33: restarted again and again, VMs are back at once, host metrics never stop, no descriptor or memory is lost',
    async () => {
      const { libvirtd, folder, run } = stage();
      const ticks = path.join(folder, 'ticks');
      const uuids = [await libvirtd.create('a'), await libvirtd.create('b')];
      const { env, status } = withStatus(folder);
      const { daemon, disk } = await run(action('host', 'Ticks', counting(ticks)) + QUICK + MONITORED, { env });
      const { pid } = daemon.child;
      const start = performance.now();
      const waits: number[] = [];
      let descriptors = 0;
      let memory = 0;
      for (let round = 1; round <= 50; round += 1) {
        libvirtd.kill('SIGKILL');
        await until('the daemon has noticed', async () => (await status())?.libvirt?.up === false);
        await libvirtd.start();
        const back = performance.now();
        await until('the daemon is connected again', async () => (await status())?.reconnects === round, 5000);
        waits.push(performance.now() - back);
        if (round === 10) {
          descriptors = descriptorsOf(pid);
          memory = memoryOf(pid);
        }
      }
      expect(waits.toSorted((x, y) => x - y)[25]).toBeLessThan(1000 * PATIENCE);
      await sleep(1500);
      expect(await domainsOn(disk)).toEqual(new Set(uuids));
      expect((await readMetrics(disk)).filter(({ context }) => context === 'vm')).toHaveLength(10);
      // An action that runs has some.
      await until('no descriptor is lost', () => descriptorsOf(pid) <= descriptors + 3);
      expect(memoryOf(pid)).toBeLessThan(memory + 40);
      expect(linesOf(ticks).length).toBeGreaterThanOrEqual(Math.floor((performance.now() - start) / 1000) - 2);
      // The first of each, and one more in each of the two minutes that the test may take.
      expect(times(daemon.output(), / libvirt: (Not connected|Connected)/g)).toBeLessThanOrEqual(5);
      // Missing answers of a domain's monitor while libvirtd starts are no failure of the metric.
      expect(daemon.output()).not.toMatch(/ err /);
    },
    120_000 * PATIENCE,
  );

  it('and the daemon reloaded again and again, no connection, descriptor or memory is lost', async () => {
    const { libvirtd, run } = stage();
    const a = await libvirtd.create('a');
    const { daemon, disk } = await run(HOST + QUICK + MONITORED);
    const { pid } = daemon.child;
    const connected = (): number => times(daemon.output(), /notice {2}libvirt: Connected/g);
    let descriptors = 0;
    for (let round = 1; round <= 10; round += 1) {
      daemon.child.kill('SIGHUP');
      await until('the new pipeline is connected', () => connected() === round + 1);
      if (round === 3) descriptors = descriptorsOf(pid);
    }
    await until('the old connections are closed', () => descriptorsOf(pid) <= descriptors + 3);
    expect(await domainsOn(disk)).toEqual(new Set([a]));
  });

  it('killed, its VMs stay for 3 periods, then go, host metrics continue; when it is back all VMs are', async () => {
    const { libvirtd, run } = stage();
    const a = await libvirtd.create('a');
    const { disk } = await run(HOST + QUICK);
    libvirtd.kill('SIGKILL');
    const killed = performance.now();
    await sleep(1200);
    expect(await domainsOn(disk)).toEqual(new Set([a]));
    await until('the VM is off the disk', async () => (await domainsOn(disk)).size === 0);
    expect(performance.now() - killed).toBeGreaterThan(1800);
    const before = Number(await valueOf(disk, 'host.time'));
    await until('host metrics continue', async () => Number(await valueOf(disk, 'host.time')) >= before + 2);
    await libvirtd.start();
    await until('the VM is back', async () => (await domainsOn(disk)).has(a), 3000);
  });

  it('FAULTS 34: frozen, host metrics continue and VM values leave after 3 periods; when it goes on VMs are back', async () => {
    const { libvirtd, run } = stage();
    const a = await libvirtd.create('a');
    const { disk } = await run(HOST + QUICK + MONITORED + stat('vm', 'state.reason'), { uri: elsewhere() });
    libvirtd.kill('SIGSTOP');
    try {
      await until('the VM is off the disk', async () => (await domainsOn(disk)).size === 0);
      const before = Number(await valueOf(disk, 'host.time'));
      await until('host metrics continue', async () => Number(await valueOf(disk, 'host.time')) >= before + 3);
    } finally {
      libvirtd.kill('SIGCONT');
    }
    await until(
      'all of the VM is back',
      async () => (await readMetrics(disk)).filter(({ uuid }) => uuid === a).length === 6,
    );
  });

  it('FAULTS 34: frozen, CPU time of local VMs goes on until libvirt is given up; then all VM values leave', async () => {
    const { libvirtd, run } = stage();
    const a = await libvirtd.create('a', { paused: false });
    const { disk } = await run(HOST + QUICK + MONITORED);
    const cpuTime = async (): Promise<number> => Number(await valueOf(disk, 'cpu.time', a));
    const goesOn = async (): Promise<void> => {
      const before = await cpuTime();
      await until('CPU time goes on', async () => (await cpuTime()) > before);
    };
    // By then the daemon knows the process, on a busy machine too.
    await goesOn();
    libvirtd.kill('SIGSTOP');
    try {
      for (let round = 0; round < 3; round += 1) await goesOn();
      await until('the VM is off the disk', async () => (await domainsOn(disk)).size === 0, 30_000);
    } finally {
      libvirtd.kill('SIGCONT');
    }
    await until('the VM is back', async () => (await domainsOn(disk)).has(a));
  });

  it('FAULTS 34: frozen with many domains until it is given up, VMs are back when it goes on', async () => {
    const { libvirtd, run } = stage();
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name) => libvirtd.create(name)));
    const { daemon, disk } = await run(HOST + QUICK + MONITORED + stat('vm', 'state.reason'), { uri: elsewhere() });
    libvirtd.kill('SIGSTOP');
    try {
      // The daemon closes the connection after 20 s.
      await sleep(25_000);
      expect((await readMetrics(disk)).map(({ name }) => name)).toEqual(['host.time']);
    } finally {
      libvirtd.kill('SIGCONT');
    }
    await until('all VMs are back', async () => (await readMetrics(disk)).length === 1 + 9 * 6);
    expect(daemon.output()).not.toMatch(/ err /);
  });

  it('FAULTS 35: absent at start, the daemon is ready with the host metrics, and connects as soon as it can', async () => {
    const { libvirtd, run } = stage();
    const a = await libvirtd.create('a');
    libvirtd.kill('SIGKILL');
    await sleep(100);
    const { daemon, disk } = await run(HOST + QUICK, { period: 60 });
    await daemon.printed(/Not connected, trying again: .+; host metrics continue/);
    expect((await readMetrics(disk)).map(({ name }) => name)).toEqual(['host.time']);
    await libvirtd.start();
    await until('the VM is on the disk', async () => (await domainsOn(disk)).has(a), 5000);
    expect(times(daemon.output(), /Not connected/g)).toBeLessThanOrEqual(3);
  });

  it('FAULTS 37: restarted, so that ids begin again, nothing of the VM that had the id before is mixed in', async () => {
    const { libvirtd, folder, run } = stage();
    const runs = path.join(folder, 'ids');
    libvirtd.kill('SIGKILL');
    await sleep(100);
    await libvirtd.start();
    const a = await libvirtd.create('a');
    const { disk } = await run(
      HOST + QUICK + action('vm', 'Name', `echo NAME/VMID/UUID >>${runs}; echo NAME/VMID/UUID`),
      {
        period: 60,
      },
    );
    const first = (await readMetrics(disk)).find(({ uuid }) => uuid === a);
    libvirtd.kill('SIGKILL');
    process.kill(libvirtd.qemuPid(a), 'SIGKILL');
    // libvirtd counts on from the highest id in its notes; without them it gives the same id again.
    const notes = path.join(path.dirname(libvirtd.uri.split('socket=')[1] ?? ''), 'qemu/run/a.xml');
    rmSync(notes);
    await libvirtd.start();
    await until('the first VM is off the disk', async () => !(await domainsOn(disk)).has(a), 5000);
    const b = await libvirtd.create('b');
    await until('the second VM is on the disk', async () => (await domainsOn(disk)).has(b), 5000);
    const metrics = (await readMetrics(disk)).filter(({ context }) => context === 'vm');
    expect(new Set(metrics.map(({ id, uuid }) => `${id} ${uuid}`))).toEqual(new Set([`${first?.id} ${b}`]));
    expect(metrics.find(({ name }) => name === 'Name')?.value).toBe(`b/${first?.id}/${b}`);
    expect(linesOf(runs)).toEqual([`a/${first?.id}/${a}`, `b/${first?.id}/${b}`]);
  });
});

describe('With a QEMU that is frozen', () => {
  it.each([
    { frozen: 1, of: 10 },
    { frozen: 3, of: 10 },
  ])(
    'FAULTS 38: $frozen of $of, all others are published at every tick with all that they have',
    async ({ frozen, of }) => {
      const { libvirtd, folder, run } = stage();
      const names = Array.from({ length: of }, (_, index) => `f${index}`);
      const uuids = await Promise.all(names.map((name) => libvirtd.create(name)));
      // On a busy machine one bulk call takes a second.
      const period = 2;
      const { env, status } = withStatus(folder);
      const { daemon, disk } = await run(HOST + QUICK + MONITORED, { args: ['-v'], period, env });
      const stopped = names.slice(2, 2 + frozen);
      const pids = uuids.slice(2, 2 + frozen).map((uuid) => libvirtd.qemuPid(uuid));
      const whole = async () => (await readMetrics(disk)).length === 1 + of * 5;
      /** Returns the old values: for each metric the names of the domains. */
      const old = async (): Promise<readonly OldValue[]> => (await status())?.old ?? [];
      await until('all values are there', whole);
      const ready = updatesOf(daemon).length;
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      try {
        await until(
          'monitored values of the frozen are old',
          async () => (await old()).filter(({ count }) => count === frozen).length === MONITORED_NAMES.length,
          30_000,
        );
        const frozenSince = performance.now();
        while (performance.now() < frozenSince + 3500 * period) {
          // CASE B10: a value stays while its domain lives; if only values of frozen domains are old, all others are
          // current.
          expect(await whole()).toBe(true);
          for (const { metric, domains } of await old()) {
            expect(MONITORED_NAMES).toContain(metric);
            expect(domains.toSorted()).toEqual(stopped);
          }
          await sleep(50);
        }
      } finally {
        for (const pid of pids) process.kill(pid, 'SIGCONT');
      }
      await until('no value is old', async () => (await old()).length === 0);
      const took = updatesOf(daemon)
        .slice(ready)
        .map((update) => update.took);
      expect(Math.max(...took)).toBeLessThan(2000 * period);
    },
  );

  it('FAULTS 38: at start, the daemon is ready all the same, and the frozen one has what libvirt knows of it', async () => {
    const { libvirtd, run } = stage();
    const uuids = await Promise.all(['f0', 'f1', 'f2'].map((name) => libvirtd.create(name)));
    const pid = libvirtd.qemuPid(uuids[1] ?? '');
    process.kill(pid, 'SIGSTOP');
    try {
      const { disk } = await run(HOST + QUICK + MONITORED);
      await until('all are on the disk', async () => (await domainsOn(disk)).size === uuids.length);
      await until(
        'the others have all',
        async () =>
          [uuids[0], uuids[2]].every((uuid) => uuid !== undefined) &&
          (await readMetrics(disk)).filter(({ name, uuid }) => name === 'balloon.rss' && uuid !== uuids[1]).length ===
            2,
      );
      process.kill(pid, 'SIGCONT');
      await until('all values are there', async () => (await readMetrics(disk)).length === 16);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});
