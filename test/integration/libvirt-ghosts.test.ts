import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { until, valueOf } from '../support/daemon.ts';
import { action, domainsOn, libvirtStage, stat } from './libvirt-stage.ts';

const stage = libvirtStage();

describe('Domains that libvirt lists no more', () => {
  it('CASE F2: are gone from the disk when libvirtd was killed, and their QEMU while it looked for them', async () => {
    const { libvirtd, run } = stage();
    const metrics = [stat('vm', 'cpu.time'), stat('vm', 'vcpu.*.time'), action('vm', 'Act', 'echo 1')];
    const { disk } = await run(metrics.join(''));
    for (let round = 1; round <= 2; round += 1) {
      const uuids = await Promise.all(['g0', 'g1', 'g2', 'g3'].map(async (name) => await libvirtd.create(name)));
      await until('all are on the disk', async () => (await domainsOn(disk)).size === uuids.length, 30_000);
      const pids = uuids.map((uuid) => libvirtd.qemuPid(uuid));
      // QEMU does not answer, so libvirtd lists these domains while it waits for them.
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      libvirtd.kill('SIGKILL');
      // One QEMU ends before libvirtd is back, the others after the list; libvirtd sends an event for none of them.
      process.kill(pids[0] ?? 0, 'SIGKILL');
      await libvirtd.start();
      await until(
        'the daemon is connected again, and has a list',
        async () => (await domainsOn(disk)).size === uuids.length - 1,
        30_000,
      );
      for (const pid of pids.slice(1)) process.kill(pid, 'SIGKILL');
      await until('libvirt lists none', async () => (await libvirtd.virsh('list', '--name')) === '', 60_000);
      await until('none is on the disk', async () => (await domainsOn(disk)).size === 0, 30_000);
    }
  });

  // libvirt keeps a defined domain, so calls about it succeed.
  it('CASE F2: also if they are defined, and libvirt knows them as shut off', async () => {
    const { libvirtd, run, folder } = stage();
    const { disk } = await run(stat('vm', 'cpu.time') + stat('vm', 'vcpu.current') + action('vm', 'Act', 'echo 1'));
    const [uuid, other] = [await libvirtd.create('d'), await libvirtd.create('e')];
    for (const name of ['d', 'e']) {
      const xml = path.join(folder, `${name}.xml`);
      writeFileSync(xml, await libvirtd.virsh('dumpxml', '--inactive', name));
      await libvirtd.virsh('define', xml);
    }
    await until('both are on the disk', async () => (await domainsOn(disk)).size === 2, 30_000);
    const pids = { d: libvirtd.qemuPid(uuid), e: libvirtd.qemuPid(other) };
    for (const pid of Object.values(pids)) process.kill(pid, 'SIGSTOP');
    libvirtd.kill('SIGKILL');
    process.kill(pids.e, 'SIGKILL');
    await libvirtd.start();
    await until(
      'the daemon is connected again, and has a list',
      async () => [...(await domainsOn(disk))].join() === uuid,
      30_000,
    );
    process.kill(pids.d, 'SIGKILL');
    await until('it is shut off', async () => (await libvirtd.virsh('domstate', 'd')) === 'shut off', 60_000);
    await until('it is not on the disk', async () => (await domainsOn(disk)).size === 0, 30_000);
    for (const name of ['d', 'e']) await libvirtd.virsh('undefine', name);
  });
});

describe('A driver that reports no events', () => {
  // VMware's driver runs these programs, which list the files of the machines.
  const programs = (folder: string): string => {
    const bin = path.join(folder, 'bin');
    mkdirSync(bin, { recursive: true });
    const program = (name: string, text: string): void => {
      writeFileSync(path.join(bin, name), `#!/bin/sh\n${text}\n`);
      chmodSync(path.join(bin, name), 0o755);
    };
    program('vmplayer', 'echo "VMware Player 16.2.3 build-19376536"');
    program('vmrun', `set -- ${folder}/*.vmx; [ -e "$1" ] || shift; echo "Total running VMs: $#"; printf '%s\\n' "$@"`);
    return bin;
  };
  const vmx = (name: string, uuid: string): string => `config.version = "8"
virtualHW.version = "7"
displayName = "${name}"
memsize = "64"
numvcpus = "2"
guestOS = "other"
uuid.bios = "${uuid
    .replaceAll('-', '')
    .replaceAll(/(..)(?=.)/g, '$1 ')
    .replace(/^((?:.. ){7}..) /, '$1-')}"
`;

  it('CASE B5: is connected once, and its domains are listed once a period', async () => {
    const { run, folder } = stage();
    const bin = programs(folder);
    // The driver loads the running machines when it is opened, and then asks at each call which of them still run.
    const machine = path.join(folder, 'a.vmx');
    writeFileSync(path.join(folder, 'vmware.log'), '2026-11-26| vmx| Log for VMware Player pid=4242 version=16.2.3\n');
    writeFileSync(machine, vmx('a', '564d9bef-acd9-b4e0-c8f0-aea8b9103515'));
    const metrics = [
      stat('vm', 'vcpu.current', 'uint32'),
      stat('host', 'host.cpus', 'uint32'),
      stat('host', 'host.product', 'string'),
    ];
    const { daemon, disk } = await run(metrics.join(''), {
      uri: 'vmwareplayer:///session',
      env: { PATH: `${bin}:${process.env['PATH']}` },
    });
    await daemon.printed('Connected to VMware', 30_000);
    await until('the version is there', async () => (await valueOf(disk, 'host.product')) === 'VMware 16.2.3', 30_000);
    // This driver lacks virNodeGetInfo.
    expect(Number(await valueOf(disk, 'host.cpus'))).toBeGreaterThan(0);
    await until('the machine is on the disk', async () => (await domainsOn(disk)).size === 1, 30_000);
    expect(await valueOf(disk, 'vcpu.current', [...(await domainsOn(disk))][0])).toBe('2');
    rmSync(machine);
    await until('it is gone', async () => (await domainsOn(disk)).size === 0, 30_000);
    expect(daemon.output().match(/Connected to VMware/g)).toHaveLength(1);
    expect(daemon.output().match(/listed once a period/g)).toHaveLength(1);
    expect(daemon.output()).not.toContain('Not connected');
  });
});
