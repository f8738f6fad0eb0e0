import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { startDaemon, scratch, until, valueOf } from '../support/daemon.ts';
import { startLibvirtd } from '../support/libvirtd.ts';
import { action, libvirtStage, stat } from './libvirt-stage.ts';

const HOST = [
  stat('host', 'host.product', 'string'),
  stat('host', 'host.libvirt.hostname', 'string'),
  stat('host', 'host.cpus', 'uint32'),
].join('');

describe.runIf(process.getuid?.() === 0)('The CPUs of the host', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-cpus-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('CASE B1: are those of the tick when one goes offline and comes back', async () => {
    // libvirtd and the daemon see files of this test in place of the kernel's.
    const CPUS = '/sys/devices/system/cpu';
    const files = { all: path.join(folder, 'online'), one: path.join(folder, 'cpu1') };
    const online = (one: boolean): void => {
      writeFileSync(files.all, one ? '0-1\n' : '0\n');
      writeFileSync(files.one, one ? '1\n' : '0\n');
    };
    mkdirSync(folder, { recursive: true });
    online(true);
    const before = `mount --bind ${files.all} ${CPUS}/online; mount --bind ${files.one} ${CPUS}/cpu1/online`;
    const libvirtd = await startLibvirtd({ before });
    const { config, disk, remove } = scratch(HOST);
    const daemon = await startDaemon(['-f', config, '-c', libvirtd.uri], { mountsOf: libvirtd.pid() });
    try {
      const cpus = Number(await valueOf(disk, 'host.cpus'));
      expect(cpus).toBeGreaterThan(1);
      online(false);
      expect(await libvirtd.virsh('nodeinfo')).toMatch(new RegExp(`^CPU\\(s\\): +${cpus - 1}$`, 'm'));
      await until('one is less', async () => Number(await valueOf(disk, 'host.cpus')) === cpus - 1);
      online(true);
      await until('all are back', async () => Number(await valueOf(disk, 'host.cpus')) === cpus);
      expect(daemon.output().match(/Connected to/g)).toHaveLength(1);
    } finally {
      await daemon.stop();
      await libvirtd.close();
      remove();
    }
  });
});

describe('Statistics of the host from libvirt', () => {
  const stage = libvirtStage();

  it('CASE B8: is published when libvirtd comes up after the daemon, long before the next tick', async () => {
    const { libvirtd, run } = stage();
    libvirtd.kill('SIGKILL');
    const { daemon, disk } = await run(HOST + action('host', 'Theirs', 'virsh CONNECT hostname'), {
      period: 600,
      args: ['-v'],
    });
    expect(await valueOf(disk, 'host.product')).toBeUndefined();
    await libvirtd.start();
    await until('it is published', async () => (await valueOf(disk, 'host.product')) !== undefined, 60_000);
    await until('so is what an action asks', async () => (await valueOf(disk, 'Theirs')) !== undefined, 60_000);
    const version = /^Running hypervisor: (.+)$/m.exec(await libvirtd.virsh('version'))?.[1];
    expect(await valueOf(disk, 'host.product')).toBe(version);
    expect(await valueOf(disk, 'host.libvirt.hostname')).toBe(await libvirtd.virsh('hostname'));
    expect(await valueOf(disk, 'Theirs')).toBe(await libvirtd.virsh('hostname'));
    expect(daemon.output()).toMatch(/Connected to QEMU through libvirt/);
  });

  it('stays while libvirtd is away, and the CPUs are then those that the kernel counts', async () => {
    const { libvirtd, run } = stage();
    const { daemon, disk } = await run(HOST);
    const before = await valueOf(disk, 'host.product');
    libvirtd.kill('SIGKILL');
    await daemon.printed('Not connected', 30_000);
    const since = await valueOf(disk, 'host.product');
    expect(since).toBe(before);
    const ranges = readFileSync('/sys/devices/system/cpu/online', 'utf8').trim().split(',');
    const count = ranges.map((range) => range.split('-').map(Number)).reduce((n, [a = 0, b = a]) => n + b - a + 1, 0);
    expect(Number(await valueOf(disk, 'host.cpus'))).toBe(count);
    await libvirtd.start();
  });

  it('CASE B7: is what a virsh without CONNECT gets, by -c or by the environment', async () => {
    const { libvirtd, run } = stage();
    const uuid = await libvirtd.create('mine');
    const metrics = action('host', 'Uri', 'virsh uri') + action('vm', 'Name', 'virsh dominfo UUID | grep -c Id:');
    const byOption = await run(metrics, { env: { LIBVIRT_DEFAULT_URI: '' } });
    const uri = await libvirtd.virsh('uri');
    await until('its host metric is there', async () => (await valueOf(byOption.disk, 'Uri')) === uri, 30_000);
    await until('it has the domain', async () => (await valueOf(byOption.disk, 'Name', uuid)) === '1', 30_000);
    const { config, disk, remove } = scratch(metrics);
    const byEnvironment = await startDaemon(['-f', config], { env: { LIBVIRT_DEFAULT_URI: libvirtd.uri } });
    await until('it has the domain', async () => (await valueOf(disk, 'Name', uuid)) === '1', 30_000);
    expect(await valueOf(disk, 'Uri')).toBe(uri);
    await byEnvironment.stop();
    remove();
  });
});
