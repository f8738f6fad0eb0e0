import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { readMetrics, until, valueOf } from '../support/daemon.ts';
import { isSleeping } from '../support/processes.ts';
import { action, counting, domainsOn, libvirtStage, linesOf, stat } from './libvirt-stage.ts';

const stage = libvirtStage();

// With this period only the first tick matters; "at once" is much less, even on a loaded machine.
const LONG = 60;
const AT_ONCE = 15_000;

const SAP = [
  stat('vm', 'cpu.time'),
  stat('vm', 'vcpu.current'),
  stat('vm', 'balloon.maximum'),
  stat('vm', 'state.state'),
];

describe('A daemon on real domains', () => {
  it('publishes its first snapshot at start, with all domains in it, not a period later', async () => {
    const { libvirtd, run } = stage();
    const uuids = [await libvirtd.create('a'), await libvirtd.create('b')];
    const { disk } = await run([stat('host', 'host.hostname', 'string'), ...SAP].join(''), { period: LONG });
    // The daemon is ready when the first snapshot is published, so the test need not wait.
    expect(await domainsOn(disk)).toEqual(new Set(uuids));
    for (const uuid of uuids) {
      expect(await valueOf(disk, 'balloon.maximum', uuid)).toBe('16384');
      expect(await valueOf(disk, 'vcpu.current', uuid)).toBe('1');
    }
    expect(await valueOf(disk, 'host.hostname')).toBeTruthy();
  });

  it('publishes a domain that starts or resumes at once, and collects its metrics only', async () => {
    const { libvirtd, run, folder } = stage();
    const [hostRuns, vmRuns] = [path.join(folder, 'host'), path.join(folder, 'vm')];
    const a = await libvirtd.create('a');
    const { disk } = await run(
      action('host', 'Runs', counting(hostRuns)) +
        action('vm', 'Name', `${counting(vmRuns, 'NAME')} >&2; echo NAME`) +
        SAP.join(''),
      { period: LONG },
    );
    await until('all is on the disk', async () => (await valueOf(disk, 'Name', a)) === 'a');
    expect(linesOf(vmRuns)).toEqual(['a']);

    const b = await libvirtd.create('b', { paused: false });
    await until('the started domain is on the disk', async () => (await valueOf(disk, 'Name', b)) === 'b', AT_ONCE);
    await until('its memory, too', async () => (await valueOf(disk, 'balloon.maximum', b)) === '16384', AT_ONCE);
    expect(await valueOf(disk, 'Name', a)).toBe('a');
    expect(linesOf(vmRuns)).not.toContain('a a');
    const before = linesOf(vmRuns).filter((name) => name === 'a').length;
    expect(before).toBe(1);

    await until('the first is paused', async () => (await valueOf(disk, 'state.state', a)) === '3', AT_ONCE);
    await libvirtd.virsh('resume', 'a');
    await until(
      'the resumed domain is collected',
      async () => (await valueOf(disk, 'state.state', a)) === '1',
      AT_ONCE,
    );
    await until('its action has run', () => linesOf(vmRuns).filter((name) => name === 'a').length === 2, AT_ONCE);
    expect(linesOf(hostRuns)).toHaveLength(1);
    await until('the host has run once', async () => (await valueOf(disk, 'Runs')) === '1', AT_ONCE);
  });

  it('publishes statistics that QEMU itself has to answer with the start of a domain, not at the next tick only', async () => {
    const { libvirtd, run } = stage();
    const wanted = ['balloon.rss', 'vcpu.*.delay', 'cpu.user', 'block.count'];
    const { daemon, disk } = await run(wanted.map((name) => stat('vm', name)).join(''), { period: LONG });
    for (const name of ['a', 'b', 'c']) {
      const uuid = await libvirtd.create(name, { paused: false });
      await until(
        `all of ${name} is on the disk`,
        async () => (await readMetrics(disk)).filter((metric) => metric.uuid === uuid).length === wanted.length,
        AT_ONCE,
      );
    }
    expect(daemon.output()).not.toContain('has no value');
  });

  it('takes a domain that stops out at once, and runs no action for it', async () => {
    const { libvirtd, run, folder } = stage();
    const vmRuns = path.join(folder, 'stops');
    const [a, b] = [await libvirtd.create('a'), await libvirtd.create('b')];
    const { disk } = await run(action('vm', 'Name', counting(vmRuns, 'NAME')) + SAP.join(''), { period: LONG });
    expect(await domainsOn(disk)).toEqual(new Set([a, b]));
    await libvirtd.destroy('a');
    await until('the stopped domain is off the disk', async () => !(await domainsOn(disk)).has(a), AT_ONCE);
    expect(await domainsOn(disk)).toEqual(new Set([b]));
    await sleep(300);
    expect([...linesOf(vmRuns)].sort()).toEqual(['a', 'b']);
  });

  it('collects a metric with a period of its own on every n-th tick, and shows its value in between', async () => {
    const { run, folder } = stage();
    const [every, third] = [path.join(folder, 'every'), path.join(folder, 'third')];
    const { disk } = await run(
      action('host', 'Every', counting(every)) + action('host', 'Third', counting(third), 'period="3"'),
      { period: 1 },
    );
    await until('its first value', async () => (await valueOf(disk, 'Third')) !== undefined);
    await until(
      'eight ticks',
      async () => {
        expect(await valueOf(disk, 'Third')).toBeDefined();
        return linesOf(every).length >= 8;
      },
      20_000,
    );
    await until('it has run on every third', () => linesOf(third).length === Math.ceil(linesOf(every).length / 3));
  });

  it('FAULTS 36: forgets a domain that vanishes while it is being collected: no error, no ghost, no process left', async () => {
    const { libvirtd, run, folder } = stage();
    const started = path.join(folder, 'vanishing');
    const marker = `98${process.pid}`;
    const { daemon, disk } = await run(
      action('vm', 'Slow', `echo NAME >>${started}; sleep ${marker}`) + SAP.join('') + stat('vm', 'vcpu.*.delay'),
      { period: 5 },
    );
    const a = await libvirtd.create('a');
    await until('its action runs', () => linesOf(started).includes('a'));
    await libvirtd.destroy('a');
    await until('it is off the disk', async () => !(await domainsOn(disk)).has(a), AT_ONCE);
    await until('its action has ended', () => !isSleeping(marker));
    const output = daemon.output();
    await sleep(5500);
    expect(await domainsOn(disk)).toEqual(new Set());
    expect(linesOf(started)).toEqual(['a']);
    expect(daemon.output().slice(output.length)).not.toMatch(/warning|err/);
    expect(output).not.toMatch(/has no value|Stopped by a bug/);
  });
});

describe('On the test driver inside the process', () => {
  it('the daemon publishes its domain "test"', async () => {
    const { run } = stage();
    const { disk } = await run(SAP.join('') + action('vm', 'Name', 'echo NAME'), { uri: 'test:///default' });
    const uuid = '6695eb01-f6a4-8304-79aa-97f2502e193f';
    await until('its name', async () => (await valueOf(disk, 'Name', uuid)) === 'test');
    await until('its CPUs', async () => (await valueOf(disk, 'vcpu.current', uuid)) === '2');
    expect(await domainsOn(disk)).toEqual(new Set([uuid]));
  });
});
