import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { makeGroup } from '../integration/busy-machine.ts';
import { PROGRAM } from '../support/daemon.ts';
import { PATIENCE } from '../support/patience.ts';
import { guestStage } from './guest-stage.ts';
import { diskXml, startVirtualMachine } from './virtual-machine.ts';

const preset = readFileSync(new URL('../../conf/contention.xml', import.meta.url), 'utf8');
// A guest without KVM on a busy machine reads a disk slowly, so the disk must not change each second.
const stage = guestStage(() => /<metrics>([^]*)<\/metrics>/.exec(preset)?.[1] ?? '', 5);

const SLOW = { uuid: '8f6f2f0e-54a5-4d5e-9a55-0d8f5d8e0c03', name: 'busy' };
// What asks comes before what keeps the CPU busy.
const SCRIPT = `
while :; do :; done &
renice -n 19 $! >/dev/null
section ready
sleep 5
section inside
vm-dump-metrics --why
`;

/** Asks on the host; resolves to what it prints and its exit status. */
const why = async (uri: string, uuid: string) =>
  await new Promise<{ readonly code: unknown; readonly text: string }>((resolve) => {
    execFile(process.execPath, [PROGRAM, 'why', uuid, '-c', uri, '--seconds', '3'], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, text: stdout + stderr }),
    );
  });

describe('A VM under a quota', () => {
  it(
    'gets the same answer inside and outside',
    async () => {
      const libvirtd = stage.libvirtd();
      const vm = await startVirtualMachine(libvirtd, {
        ...SLOW,
        ready: async () => await stage.hasDisk(SLOW.uuid),
        devices: diskXml(stage.privateDisk(SLOW.uuid), 'vda'),
        script: SCRIPT,
      });
      await vm.reached('ready');
      const undo = makeGroup(Number(await libvirtd.virsh('domid', SLOW.uuid)), libvirtd.qemuPid(SLOW.uuid), 35_000);
      // libvirt makes the groups before the VM runs, this test afterwards.
      await stage.restart('SIGTERM');
      try {
        await vm.reached('inside', 60_000);
        const outside = await why(libvirtd.uri, SLOW.uuid);
        const inside = (await vm.ended(60_000)).get('inside') ?? '';
        console.log(`Outside:\n${outside.text}\nInside:\n${inside}`);
        expect(outside.code).toBe(1);
        expect(outside.text).toMatch(/^busy is slow: its CPU quota stops it\.\n/);
        expect(outside.text).toMatch(/ % of the time its CPU quota stopped a virtual CPU \(from 5 % on\)/);
        expect(inside).toMatch(
          /^The host slows this VM down\. This VM has used up the CPU time .*: its quota stops it\.\n/,
        );
        expect(inside).toMatch(/ % of the time its CPU quota stopped a virtual CPU \(from 5 % on\)\n/);
      } finally {
        // The kernel may still be ending the group's processes.
        for (const step of undo.toReversed())
          for (let tries = 0; tries < 100; tries += 1)
            try {
              step();
              break;
            } catch {
              await sleep(50);
            }
      }
    },
    120_000 * PATIENCE,
  );
});
