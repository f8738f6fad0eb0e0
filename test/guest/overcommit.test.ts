import { cpus } from 'node:os';

import { describe, expect, it } from 'vitest';

import { stat } from '../integration/libvirt-stage.ts';
import { until, valueOf } from '../support/daemon.ts';
import { PATIENCE } from '../support/patience.ts';
import { guestStage } from './guest-stage.ts';
import { startVirtualMachine } from './virtual-machine.ts';

const METRICS = [
  stat('host', 'host.overcommit.cpus', 'real64'),
  stat('host', 'host.overcommit.memory', 'real64'),
  stat('host', 'host.memory.total'),
].join('');
const stage = guestStage(() => METRICS);
const value = async (name: string): Promise<number> => Number(await valueOf(stage.shared, name));

describe('The memory that a host has given away', () => {
  it(
    'is less when the balloon of a guest has taken some back, which libvirt reports',
    async () => {
      expect(await value('host.overcommit.cpus')).toBe(0);
      expect(await value('host.overcommit.memory')).toBe(0);
      const libvirtd = stage.libvirtd();
      const vm = await startVirtualMachine(libvirtd, {
        name: 'balloon',
        balloon: true,
        script: 'section ready; sleep 300',
      });
      const total = await value('host.memory.total');
      const given = async (): Promise<number> =>
        Math.round(((await value('host.overcommit.memory')) * total) / 100 / 1024);
      await until('it counts', async () => (await given()) === 160);
      expect(await value('host.overcommit.cpus')).toBeCloseTo(1 / cpus().length, 5);
      await vm.reached('ready');
      await libvirtd.virsh('setmem', vm.uuid, '120M', '--live');
      await until('the balloon counts', async () => (await given()) === 120);
      await vm.destroy();
      await until('it counts no more', async () => (await given()) === 0);
    },
    120_000 * PATIENCE,
  );
});
