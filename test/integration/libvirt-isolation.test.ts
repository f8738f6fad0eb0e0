import { randomUUID } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { dump$ } from '../../src/client/read-metrics.ts';
import { startDaemon, until } from '../support/daemon.ts';
import { libvirtStage } from './libvirt-stage.ts';

const stage = libvirtStage();
const preset = (name: string): string => fileURLToPath(new URL(`../../conf/${name}`, import.meta.url));

/** A VM whose every text and number can be told from those of the others. */
const machineXml = (name: string, uuid: string, folder: string, iops: number): string =>
  `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory unit='KiB'>${32_768 + iops}</memory><vcpu>1</vcpu>` +
  `<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>` +
  `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${path.join(folder, `${name}.raw`)}'/>` +
  `<target dev='vda' bus='virtio'/><iotune><total_iops_sec>${iops}</total_iops_sec></iotune></disk></devices></domain>`;

describe('A hostile guest of conf/contention.xml', () => {
  it('reads nothing of another VM: no name, UUID, id, path or number, and no count of VMs', async () => {
    const { libvirtd, folder } = stage();
    chmodSync(folder, 0o755);
    const disks = path.join(folder, 'disks');
    const config = path.join(folder, 'vhostmd.conf');
    const text = readFileSync(preset('contention.xml'), 'utf8')
      .replace('/run/vhostmd/UUID.disk', `${disks}/UUID.disk`)
      .replace('<update_period>5</update_period>', '<update_period>1</update_period>')
      .replace('<transport>virtio</transport>', '');
    writeFileSync(config, text);
    const vms = ['alpha-secret', 'bravo-secret', 'charlie-secret'].map((name, at) => ({
      name,
      uuid: randomUUID(),
      iops: 71_111 + 1111 * at,
    }));
    for (const { name, uuid, iops } of vms) {
      writeFileSync(path.join(folder, `${name}.raw`), Buffer.alloc(2 ** 20), { mode: 0o666 });
      chmodSync(path.join(folder, `${name}.raw`), 0o666);
      const xml = path.join(folder, `${name}.xml`);
      writeFileSync(xml, machineXml(name, uuid, folder, iops), { mode: 0o644 });
      await libvirtd.virsh('create', xml);
    }
    const daemon = await startDaemon(['-f', config, '-c', libvirtd.uri]);
    try {
      const diskOf = (uuid: string): string => path.join(disks, `${uuid}.disk`);
      const metricsOf = async (uuid: string) => {
        const read = await firstValueFrom(dump$(diskOf(uuid)));
        if (!read.ok) throw new Error(read.error);
        return read.value.metrics;
      };
      for (const { uuid } of vms)
        await until('each has its verdict', async () =>
          (await metricsOf(uuid)).some(({ name }) => name === 'slow.cause'),
        );
      for (const vm of vms) {
        const bytes = readFileSync(diskOf(vm.uuid)).toString('latin1');
        const others = vms.filter((other) => other !== vm);
        for (const { name, uuid, iops } of others)
          for (const secret of [name, uuid, `${name}.raw`, String(iops), String(32_768 + iops)])
            expect(bytes).not.toContain(secret);
        const metrics = await metricsOf(vm.uuid);
        expect(new Set(metrics.flatMap(({ uuid }) => uuid ?? []))).toEqual(new Set([vm.uuid]));
        // Of the host only what SAP's set has.
        const sap = readFileSync(preset('vhostmd.xml'), 'utf8');
        for (const { name } of metrics.filter(({ context }) => context === 'host'))
          expect(sap).toContain(`<name>${name}</name>`);
      }
    } finally {
      await daemon.stop();
    }
  });
});
