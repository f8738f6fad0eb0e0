import { randomUUID } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { readMetrics, until } from '../support/daemon.ts';
import { memoryOf } from '../support/processes.ts';
import { libvirtStage, stat } from './libvirt-stage.ts';
import { PATIENCE } from '../support/patience.ts';

const stage = libvirtStage();

const DOMAINS = 10_000;

describe('A host', () => {
  it(
    'FAULTS 31: with 10,000 VMs goes on: memory grows with their number, and the disk holds whole VMs as far as it reaches',
    { timeout: 180_000 * PATIENCE },
    async () => {
      const { libvirtd, folder, run } = stage();
      const uri = libvirtd.uri.replace('qemu+unix:///session', 'test+unix:///default');
      const metrics =
        stat('host', 'host.hostname', 'string') + stat('vm', 'balloon.current') + stat('vm', 'vcpu.current');
      // The test driver keeps its domains while it has a client, which is this daemon.
      const { daemon: first } = await run(metrics, { uri, period: 5 });
      const before = memoryOf(first.child.pid);
      const commands = Array.from({ length: DOMAINS }, (_, at) => {
        const file = path.join(folder, `${at % 100}.xml`);
        const text = `<domain type='test'><name>d${at}</name><uuid>${randomUUID()}</uuid><memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>`;
        return { file, text };
      });
      // One virsh creates a hundred domains, and the next hundred reuse their files.
      for (let at = 0; at < DOMAINS; at += 100) {
        const some = commands.slice(at, at + 100);
        for (const { file, text } of some) writeFileSync(file, text);
        await libvirtd.virsh('-c', uri, some.map(({ file }) => `create ${file}`).join('; '));
      }
      const { daemon, disk } = await run(metrics, { uri, period: 5 });
      await daemon.printed(/too small and holds 1 of 1 host metrics and [\d,]+ of \d+,\d{3} VMs only/, 60_000);
      const shown = await readMetrics(disk);
      const uuids = shown.flatMap(({ uuid }) => (uuid === undefined ? [] : [uuid]));
      expect(shown[0]).toMatchObject({ context: 'host', name: 'host.hostname' });
      // Each VM is complete, with two metrics.
      expect(uuids.length).toBe(2 * new Set(uuids).size);
      expect(new Set(uuids).size).toBeGreaterThan(400);
      // Some 12 KiB for each VM, and the reserve of V8.
      for (const { child } of [first, daemon]) expect(memoryOf(child.pid) - before).toBeLessThan(200);
      const { mtimeMs } = statSync(disk);
      await until('the next update', () => statSync(disk).mtimeMs > mtimeMs, 30_000);
    },
  );
});
