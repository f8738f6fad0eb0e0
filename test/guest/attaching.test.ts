import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { beforeAll, describe, expect, it } from 'vitest';

import { parseMetrics } from '../../src/client/read-metrics.ts';
import { action, stat } from '../integration/libvirt-stage.ts';
import { PROGRAM } from '../support/daemon.ts';
import { guestStage, squeezed } from './guest-stage.ts';
import { startVirtualMachine } from './virtual-machine.ts';
import { PATIENCE } from '../support/patience.ts';

const run = promisify(execFile);
const stage = guestStage(() => stat('host', 'host.cpus', 'uint32') + action('vm', 'Name', 'echo "$VHOSTMD_VM_NAME"'));

const SCRIPT = `
section waiting
until vm-dump-metrics --vbd 2>/dev/null | grep -q '<name>Name'; do sleep 0.3; done
section disk
vm-dump-metrics --vbd
until grep -qs vhostmd /sys/class/virtio-ports/*/name; do sleep 0.3; done
section channel
vm-dump-metrics --virtio --wait 15
section attached
while ls /dev/vd* >/dev/null 2>&1 || grep -qs vhostmd /sys/class/virtio-ports/*/name; do sleep 0.3; done
section detached
vm-dump-metrics
`;

describe('A guest that runs already', () => {
  let printed: ReadonlyMap<string, string>;
  let said: readonly string[] = [];

  beforeAll(async () => {
    const guest = await startVirtualMachine(stage.libvirtd(), {
      name: 'late',
      // libvirt attaches channels to running domains, but not their controller.
      devices: `<controller type='virtio-serial'/>`,
      script: SCRIPT,
    });
    await guest.reached('waiting');
    const attach = async (...args: readonly string[]): Promise<void> => {
      const options = ['--live', '-c', stage.libvirtd().uri, '-f', stage.config, ...args];
      const { stdout, stderr } = await run(process.execPath, [PROGRAM, 'attach', 'late', ...options]);
      said = [...said, stdout + stderr];
    };
    await attach();
    await guest.reached('attached');
    await attach('--detach');
    printed = await guest.ended();
    console.log('What vhostmd attach said, and what the guest saw:\n', said.join('\n'), printed);
  }, 120_000 * PATIENCE);

  it('gets its metrics through the disk and the channel that vhostmd attach gives it', () => {
    const [document, reply] = [printed.get('disk'), printed.get('channel')];
    expect(parseMetrics(document ?? '').map(({ name, value }) => [name, value])).toContainEqual(['Name', 'late']);
    expect(squeezed(document)).toBe(reply);
  });

  it('has neither when they are taken out again', () => {
    expect(printed.get('detached')).toMatch(
      /no metrics: there is no metrics disk.*; there is no virtio-serial channel/,
    );
  });
});
