import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { tmpdir } from 'node:os';
import { randomUUID } from 'node:crypto';

import { firstValueFrom, Subscription, timeout } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';

import type { Domain } from '../../src/model/metric.ts';
import { connect$ } from '../../src/sources/libvirt/connection.ts';
import { stateFolder } from '../../src/sources/libvirt/state-folder.ts';
import type { Connection } from '../../src/sources/libvirt/types.ts';
import { openFiles } from '../../src/testing/contract.ts';
import { until, valueOf } from '../support/daemon.ts';
import { PATIENCE } from '../support/patience.ts';
import { libvirtStage, stat } from './libvirt-stage.ts';

const stage = libvirtStage();

let open = new Subscription();
afterEach(() => {
  open.unsubscribe();
  open = new Subscription();
});
const connect = async (uri: string): Promise<Connection> =>
  await new Promise((resolve, reject) => open.add(connect$(uri).subscribe({ next: resolve, error: reject })));

const opened = (pid: number): number => openFiles().filter((file) => file.endsWith(` /proc/${pid}/stat`)).length;

/** Starts a domain whose number of CPUs can change while it runs; returns its UUID. */
const create = async (name: string, uuid: string = randomUUID()): Promise<string> => {
  const { libvirtd, folder } = stage();
  const file = path.join(folder, `${uuid}.xml`);
  writeFileSync(
    file,
    `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>64</memory><vcpu current='1'>3</vcpu>` +
      `<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>` +
      `<memballoon model='virtio'/></devices></domain>`,
    { mode: 0o644 },
  );
  await libvirtd.virsh('create', file);
  return uuid;
};

const STATES = ['no state', 'running', 'idle', 'paused', 'in shutdown', 'shut off'];
/** Returns the values of `virsh dominfo` in the units of libvirt's API; CPU time in seconds. */
const dominfo = async (uuid: string) => {
  const text = await stage().libvirtd.virsh('dominfo', uuid);
  const field = (name: string): string => new RegExp(`^${name}: +(.*)$`, 'm').exec(text)?.[1] ?? '';
  return {
    'state.state': STATES.indexOf(field('State')),
    'vcpu.current': Number(field('CPU\\(s\\)')),
    'balloon.current': Number.parseInt(field('Used memory'), 10),
    'balloon.maximum': Number.parseInt(field('Max memory'), 10),
    cpuTime: Number.parseFloat(field('CPU time')),
  };
};

const known = async (connection: Connection, domain: Domain) => {
  const { fields } = await firstValueFrom(connection.info$(domain).pipe(timeout(5000 * PATIENCE)));
  return fields;
};

const expectSame = async (connection: Connection, domain: Domain): Promise<void> => {
  const { cpuTime: before, ...rest } = await dominfo(domain.uuid);
  const fields = await known(connection, domain);
  const { cpuTime: after } = await dominfo(domain.uuid);
  expect(Object.fromEntries(fields)).toMatchObject(rest);
  const seconds = Number(fields.get('cpu.time')) / 1e9;
  // virsh rounds to a tenth.
  expect(seconds).toBeGreaterThanOrEqual(before - 0.1);
  expect(seconds).toBeLessThanOrEqual(after + 0.1);
};

const listed = async (connection: Connection, uuid: string): Promise<Domain> => {
  const domain = (await firstValueFrom(connection.domains$())).find((one) => one.uuid === uuid);
  if (domain === undefined) throw new Error(`${uuid} does not run`);
  return domain;
};

describe('The state of a local domain without a call', () => {
  it('is that of virsh dominfo, over pauses, changes of CPUs and balloons, and whatever libvirtd does', async () => {
    const { libvirtd } = stage();
    const uuid = await create('a b)c');
    const connection = await connect(libvirtd.uri);
    const domain = await listed(connection, uuid);
    const pid = libvirtd.qemuPid(uuid);
    await expectSame(connection, domain);
    expect(opened(pid)).toBe(1);
    const steps: readonly (readonly string[])[] = [
      ['suspend', uuid],
      ['resume', uuid],
      ['setvcpus', uuid, '3', '--live'],
      ['setvcpus', uuid, '1', '--live'],
      ['setmem', uuid, '32768', '--live'],
      ['suspend', uuid],
      ['setvcpus', uuid, '2', '--live'],
      ['resume', uuid],
    ];
    for (const step of steps) {
      // Removing a CPU needs the guest's help, and this guest does not react.
      await libvirtd.virsh(...step).catch(() => '');
      await expectSame(connection, domain);
      await expectSame(connection, domain);
    }
    expect(opened(pid)).toBe(1);
    // The next run has another process, the same name and the same UUID.
    await libvirtd.destroy(uuid);
    await create('a b)c', uuid);
    const next = await listed(connection, uuid);
    await until('the descriptor of the former run is closed', () => opened(pid) === 0);
    await expectSame(connection, next);
    expect(opened(libvirtd.qemuPid(uuid))).toBe(1);
    open.unsubscribe();
    expect(opened(libvirtd.qemuPid(uuid))).toBe(0);
  });

  it('goes on while libvirtd is frozen, and after its restart', async () => {
    const { libvirtd, run } = stage();
    const uuid = await create('busy');
    const { disk } = await run(stat('vm', 'cpu.time') + stat('vm', 'vcpu.current'));
    const cpuTime = async (): Promise<number> => Number(await valueOf(disk, 'cpu.time', uuid));
    const goesOn = async (): Promise<void> => {
      const before = await cpuTime();
      await until('CPU time goes on', async () => (await cpuTime()) > before);
    };
    await until('the first value', async () => (await cpuTime()) > 0);
    libvirtd.kill('SIGSTOP');
    try {
      await goesOn();
      await goesOn();
    } finally {
      libvirtd.kill('SIGCONT');
    }
    libvirtd.kill('SIGKILL');
    await libvirtd.start();
    await goesOn();
    expect(await valueOf(disk, 'vcpu.current', uuid)).toBe('1');
  });

  it('ends with the process: another process with its pid has no value', async () => {
    const { libvirtd } = stage();
    const uuid = await libvirtd.create('ends', { paused: false });
    const connection = await connect(libvirtd.uri);
    const domain = await listed(connection, uuid);
    await known(connection, domain);
    process.kill(libvirtd.qemuPid(uuid), 'SIGKILL');
    await until(
      'it has no value',
      async () =>
        await known(connection, domain).then(
          () => false,
          () => true,
        ),
    );
  });
});

describe('The folder of the local QEMU driver', () => {
  it('is that beside the socket of the libvirtd which serves the URI', () => {
    const { libvirtd } = stage();
    const socket = new URL(libvirtd.uri).searchParams.get('socket') ?? '';
    const folder = path.join(path.dirname(socket), 'qemu/run');
    expect(stateFolder(libvirtd.uri)).toBe(folder);
    const environment = { XDG_RUNTIME_DIR: path.dirname(path.dirname(socket)) };
    expect(stateFolder('qemu:///session', environment)).toBe(folder);
    expect(stateFolder('qemu:///session', {})).toBeUndefined();
  });

  it('is none of another driver, of another host, or of a path that others can change', async () => {
    const top = mkdtempSync(path.join(tmpdir(), 'vhostmd-state-'));
    const server = createServer();
    try {
      const socket = path.join(top, 'libvirt-sock');
      await new Promise<void>((resolve) => server.listen(socket, resolve));
      const uri = `qemu:///system?socket=${socket}`;
      expect(stateFolder(uri)).toBeUndefined();
      mkdirSync(path.join(top, 'qemu'));
      expect(stateFolder(uri)).toBe(path.join(top, 'qemu'));
      for (const other of [
        'qemu+ssh://host/system',
        'qemu+tcp:///system',
        'lxc:///system',
        'qemu://host/system',
        'xen:///',
      ])
        expect(stateFolder(`${other}?socket=${socket}`)).toBeUndefined();
      chmodSync(path.join(top, 'qemu'), 0o777);
      expect(stateFolder(uri)).toBeUndefined();
    } finally {
      server.close();
      rmSync(top, { recursive: true, force: true });
    }
  });
});
