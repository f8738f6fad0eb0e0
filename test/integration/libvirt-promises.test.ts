import { randomUUID } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { until, valueOf } from '../support/daemon.ts';
import { libvirtStage, stat } from './libvirt-stage.ts';

const stage = libvirtStage();
const METRICS = [
  stat('vm', 'promised.cpus', 'real64'),
  stat('vm', 'promised.cpus.usable'),
  stat('vm', 'promised.block.0.total.iops'),
  stat('vm', 'promised.block.*.read.bytes'),
].join('');

describe('What a real VM is entitled to', () => {
  it('is in its live XML, and a change is published by the event of libvirt', async () => {
    const { libvirtd, run, folder } = stage();
    chmodSync(folder, 0o755);
    const file = path.join(folder, 'disk.raw');
    writeFileSync(file, Buffer.alloc(2 ** 20), { mode: 0o666 });
    chmodSync(file, 0o666);
    const uuid = randomUUID();
    const xml = path.join(folder, 'vm.xml');
    writeFileSync(
      xml,
      `<domain type='qemu'><name>vm</name><uuid>${uuid}</uuid><memory unit='MiB'>32</memory><vcpu>2</vcpu>` +
        `<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>` +
        `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${file}'/>` +
        `<target dev='vda' bus='virtio'/><iotune><total_iops_sec>100</total_iops_sec></iotune></disk></devices></domain>`,
      { mode: 0o644 },
    );
    await libvirtd.virsh('create', '--paused', xml);
    // Only an event can change a value in time.
    const { disk } = await run(METRICS, { period: 600 });
    expect(await valueOf(disk, 'promised.cpus', uuid)).toBe('2.000000');
    expect(await valueOf(disk, 'promised.cpus.usable', uuid)).toBe(String(cpus().length));
    expect(await valueOf(disk, 'promised.block.0.total.iops', uuid)).toBe('100');
    expect(await valueOf(disk, 'promised.block.*.read.bytes', uuid)).toBe('0');
    await libvirtd.virsh('blkdeviotune', uuid, 'vda', '--total-iops-sec', '0', '--read-bytes-sec', '65536', '--live');
    await until('it is seen', async () => (await valueOf(disk, 'promised.block.*.read.bytes', uuid)) === '65536');
    expect(await valueOf(disk, 'promised.block.0.total.iops', uuid)).toBe('0');
    await libvirtd.virsh('vcpupin', uuid, '0', '0', '--live');
    await libvirtd.virsh('vcpupin', uuid, '1', '0', '--live');
    await until('it is pinned', async () => (await valueOf(disk, 'promised.cpus.usable', uuid)) === '1');
  });
});
