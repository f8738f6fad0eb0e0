import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { parseMetrics } from '../../src/dump.ts';
import { action, libvirtStage, stat } from '../integration/libvirt-stage.ts';
import { readMetrics, type RunningDaemon, startDaemon, until } from '../support/daemon.ts';
import { channelXml, diskXml, sharedFolder, startVirtualMachine, type VirtualMachine } from './virtual-machine.ts';

const stage = libvirtStage({ keepDomains: true });
const folder = sharedFolder();
const shared = path.join(folder, 'shared.disk');
const config = path.join(folder, 'vhostmd.conf');
const privateDisk = (uuid: string): string => path.join(folder, 'private', `${uuid}.disk`);
let daemon: RunningDaemon;

const ALPHA = '8f6f2f0e-54a5-4d5e-9a55-0d8f5d8e0a01';
const BETA = '8f6f2f0e-54a5-4d5e-9a55-0d8f5d8e0b02';
/** Names are as hostile as libvirt lets them be. */
const NAMES = { [ALPHA]: "alpha <&'", [BETA]: 'beta $(id)' } as const;

// Nothing here moves by itself, so that what a guest reads can be compared with what the host has.
const METRICS =
  stat('host', 'host.hostname', 'string') +
  stat('host', 'host.cpus', 'uint32') +
  action('host', 'Same', 'echo same') +
  stat('vm', 'balloon.current') +
  stat('vm', 'vcpu.current', 'uint32') +
  action('vm', 'Name', 'echo "$VHOSTMD_VM_NAME"') +
  action('vm', 'Uuid', 'echo "$VHOSTMD_VM_UUID"');

const start = async (): Promise<void> => {
  daemon = await startDaemon(['-f', config, '-c', stage().libvirtd.uri]);
};

beforeAll(async () => {
  writeFileSync(
    config,
    `<vhostmd><globals><disk><name>d</name><path>${shared}</path><size unit="k">64</size></disk>` +
      `<update_period>1</update_period><path>/usr/bin:/bin</path><transport>vbd</transport><transport>virtio</transport>` +
      `<vm_disk><path>${privateDisk('UUID')}</path><size unit="k">64</size></vm_disk></globals>` +
      `<metrics>${METRICS}</metrics></vhostmd>`,
  );
  await start();
});
afterAll(async () => {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** CPU time that a process has taken, in milliseconds. */
const cpuOf = (pid: number | undefined): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
};

const documentOn = (disk: string): string => {
  const bytes = readFileSync(disk);
  return bytes.toString('latin1', 16, 16 + bytes.readUInt32BE(12));
};

/** Documents but for the white space that makes their sums differ. */
const squeezed = (document: string | undefined): string | undefined =>
  document?.replaceAll(/[ \t]+$/gm, '').replaceAll(/\n+$/g, '\n');

describe('Two guests that read their metrics', () => {
  let seen: ReadonlyMap<string, string>;
  let beta: ReadonlyMap<string, string>;
  let onDisks: Readonly<Record<'shared' | 'alpha' | 'beta', string>>;
  let garbageCpu = 0;

  beforeAll(async () => {
    const { libvirtd } = stage();
    const ready = (uuid: string) => async (): Promise<void> =>
      await until('the private disk', () => readdirSync(path.join(folder, 'private')).includes(`${uuid}.disk`));
    const one = startVirtualMachine(libvirtd, {
      name: NAMES[ALPHA],
      uuid: ALPHA,
      ready: ready(ALPHA),
      devices: diskXml(shared, 'vda') + diskXml(privateDisk(ALPHA), 'vdb') + channelXml(),
      script: `
until [ "$(vm-dump-metrics --device /dev/vda | grep -c '<name>Uuid')" = 2 ] &&
  vm-dump-metrics --device /dev/vdb | grep -q '<name>Uuid'; do sleep 0.5; done
section default
vm-dump-metrics -v
section shared
vm-dump-metrics --device /dev/vda
section private
vm-dump-metrics --device /dev/vdb
section channel without udev
vm-dump-metrics --virtio
link_ports
section channel
vm-dump-metrics --virtio
section values
vm-dump-metrics --value host.hostname
vm-dump-metrics --value Name --context vm
vm-dump-metrics --device /dev/vda --value Uuid --context vm
vm-dump-metrics --virtio --value Uuid
section two at a time
sleep 3
vm-dump-metrics -i --dest /tmp/one & vm-dump-metrics -i --dest /tmp/two & wait
cmp /tmp/one /tmp/two && cat /tmp/one
section busy
(vm-dump-metrics -i --wait 1; echo "status $?") 3<>/dev/virtio-ports/org.github.vhostmd.1
section garbage
head -c 1048576 /dev/urandom >/dev/virtio-ports/org.github.vhostmd.1
section after garbage
vm-dump-metrics -i
section done
sleep 1
`,
    });
    const other = startVirtualMachine(libvirtd, {
      name: NAMES[BETA],
      uuid: BETA,
      ready: ready(BETA),
      devices: diskXml(privateDisk(BETA), 'vda') + channelXml(path.join(folder, 'beta.sock')),
      script: `
until vm-dump-metrics -b | grep -q '<name>Uuid'; do sleep 0.5; done
section private
vm-dump-metrics -b
section channel
vm-dump-metrics -i
section stays
sleep 1
until [ "$(vm-dump-metrics -b --value Same)" = end ]; do sleep 1; done
`,
    });
    const [alpha, betaMachine]: readonly VirtualMachine[] = await Promise.all([one, other]);
    await alpha?.reached('garbage', 90_000);
    const before = cpuOf(daemon.child.pid);
    await alpha?.reached('done');
    garbageCpu = cpuOf(daemon.child.pid) - before;
    onDisks = {
      shared: documentOn(shared),
      alpha: readFileSync(privateDisk(ALPHA), 'latin1'),
      beta: readFileSync(privateDisk(BETA), 'latin1'),
    };
    seen = (await alpha?.ended()) ?? new Map();
    beta = betaMachine?.printed() ?? new Map();
    await libvirtd.destroy(BETA);
    for (const uuid of [ALPHA, BETA]) await libvirtd.virsh('undefine', uuid);
    console.log('alpha:', seen, '\nbeta:', beta);
  }, 150_000);

  it('get from the shared disk what the daemon has published', async () => {
    expect(squeezed(seen.get('shared'))).toBe(squeezed(onDisks.shared));
    const metrics = parseMetrics(seen.get('shared') ?? '');
    expect(
      metrics
        .filter(({ name }) => name === 'Uuid')
        .map(({ value }) => value)
        .sort(),
    ).toEqual([ALPHA, BETA]);
    expect(metrics).toContainEqual({
      context: 'vm',
      name: 'Name',
      type: 'string',
      value: NAMES[ALPHA],
      uuid: ALPHA,
      id: expect.any(String),
    });
  });
});
