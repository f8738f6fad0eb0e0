import { readFileSync } from 'node:fs';
import path from 'node:path';

import { beforeAll, describe, expect, it } from 'vitest';

import { parseMetrics } from '../../src/client/read-metrics.ts';
import { action, stat } from '../integration/libvirt-stage.ts';
import { cpuOf, documentOn, guestStage, squeezed } from './guest-stage.ts';
import { channelXml, diskXml, startVirtualMachine } from './virtual-machine.ts';
import { PATIENCE } from '../support/patience.ts';

// All metrics are constant, so that a guest's document can be compared with the host's.
const stage = guestStage(
  () =>
    stat('host', 'host.hostname', 'string') +
    stat('host', 'host.cpus', 'uint32') +
    stat('vm', 'balloon.current') +
    stat('vm', 'vcpu.current', 'uint32') +
    action('vm', 'Name', 'echo "$VHOSTMD_VM_NAME"') +
    action('vm', 'Uuid', 'echo "$VHOSTMD_VM_UUID"'),
);

const ALPHA = { uuid: '8f6f2f0e-54a5-4d5e-9a55-0d8f5d8e0a01', name: "alpha <&'" };
const BETA = { uuid: '8f6f2f0e-54a5-4d5e-9a55-0d8f5d8e0b02', name: 'beta $(id)' };

const ALPHA_SCRIPT = `
until [ "$(vm-dump-metrics --device /dev/vda | grep -c '<name>Uuid')" = 2 ] &&
  vm-dump-metrics --device /dev/vdb | grep -q '<name>Uuid'; do sleep 0.5; done
section default
vm-dump-metrics -v --dest /tmp/default
section shared
vm-dump-metrics --device /dev/vda
section private
vm-dump-metrics --device /dev/vdb
section chosen
cat /tmp/default
section channel without udev
vm-dump-metrics --virtio
link_ports
section channel
vm-dump-metrics --virtio
section values
vm-dump-metrics --value host.cpus
vm-dump-metrics --value Name --context vm
vm-dump-metrics --device /dev/vda --value Uuid --context vm
vm-dump-metrics --virtio --value Uuid
section two at a time
vm-dump-metrics -i --dest /tmp/one & vm-dump-metrics -i --dest /tmp/two & wait
cmp /tmp/one /tmp/two && cat /tmp/one
section busy
(vm-dump-metrics -i --wait 1; echo "status $?") 3<>/dev/virtio-ports/org.github.vhostmd.1
section garbage
tr '\\n' x </dev/urandom | head -c 1048576 >/dev/virtio-ports/org.github.vhostmd.1
section after garbage
vm-dump-metrics -i
section end of garbage
`;

const BETA_SCRIPT = `
link_ports
until vm-dump-metrics -b | grep -q '<name>Uuid'; do sleep 0.5; done
section private
vm-dump-metrics
section channel
vm-dump-metrics -i
section stays
sleep 60
`;

describe('Two guests with disks and channels', () => {
  let alpha: ReadonlyMap<string, string>;
  let beta: ReadonlyMap<string, string>;
  let onHost: Readonly<Record<'shared' | 'alpha' | 'beta', string>>;
  let cpu = 0;

  beforeAll(async () => {
    const { folder, shared, privateDisk, daemon, hasDisk } = stage;
    const libvirtd = stage.libvirtd();
    const [one, two] = await Promise.all([
      startVirtualMachine(libvirtd, {
        ...ALPHA,
        ready: async () => await hasDisk(ALPHA.uuid),
        devices: diskXml(shared, 'vda') + diskXml(privateDisk(ALPHA.uuid), 'vdb') + channelXml(),
        script: ALPHA_SCRIPT,
      }),
      startVirtualMachine(libvirtd, {
        ...BETA,
        ready: async () => await hasDisk(BETA.uuid),
        devices: diskXml(privateDisk(BETA.uuid), 'vda') + channelXml(path.join(folder, 'beta.sock')),
        script: BETA_SCRIPT,
      }),
    ]);
    await one.reached('garbage');
    onHost = {
      shared: documentOn(shared),
      alpha: readFileSync(privateDisk(ALPHA.uuid), 'latin1'),
      beta: readFileSync(privateDisk(BETA.uuid), 'latin1'),
    };
    const before = cpuOf(daemon().child.pid);
    await one.reached('end of garbage');
    cpu = cpuOf(daemon().child.pid) - before;
    alpha = await one.ended();
    await two.reached('stays');
    beta = two.printed();
    await two.destroy();
    console.log(`The guest ${ALPHA.name}:\n`, alpha, `\nThe guest ${BETA.name}:\n`, beta);
    console.log(`CPU of the daemon from the garbage until the answer behind it: ${cpu} ms`);
  }, 120_000 * PATIENCE);

  const names = (document: string | undefined): readonly string[] =>
    parseMetrics(document ?? '').map(({ name }) => name);
  const OWN = ['host.hostname', 'host.cpus', 'balloon.current', 'vcpu.current', 'Name', 'Uuid'];

  it('read the published metrics of both from the shared disk', () => {
    expect(alpha.get('shared')).toBe(onHost.shared);
    const uuids = parseMetrics(alpha.get('shared') ?? '').filter(({ name }) => name === 'Uuid');
    expect(uuids.map(({ uuid, value }) => [uuid, value])).toEqual([
      [ALPHA.uuid, ALPHA.uuid],
      [BETA.uuid, BETA.uuid],
    ]);
  });

  it.each([
    ['alpha', ALPHA],
    ['beta', BETA],
  ] as const)('read from the private disk and the channel the same, of the host and of themselves: %s', (key, own) => {
    const seen = key === 'alpha' ? alpha : beta;
    expect(seen.get('private')).toBe(onHost[key].slice(16, onHost[key].indexOf('</metrics>\n') + 11));
    expect(squeezed(seen.get('private'))).toBe(seen.get('channel'));
    expect(names(seen.get('channel'))).toEqual(OWN);
    expect(parseMetrics(seen.get('channel') ?? '')).toContainEqual(
      expect.objectContaining({ context: 'vm', name: 'Name', value: own.name, uuid: own.uuid }),
    );
    expect(parseMetrics(seen.get('private') ?? '')).toContainEqual(
      expect.objectContaining({ context: 'vm', name: 'balloon.current', value: `${160 * 1024}` }),
    );
  });

  it('FAULTS 69: see no byte of one another, and the files on the host hold none', () => {
    const inAlpha = ['chosen', 'private', 'channel', 'channel without udev', 'two at a time'].map((part) =>
      alpha.get(part),
    );
    for (const text of [...inAlpha, onHost.alpha]) {
      expect(text).not.toContain(BETA.uuid);
      expect(text).not.toContain('beta');
    }
    for (const text of [...beta.values(), onHost.beta]) {
      expect(text).not.toContain(ALPHA.uuid);
      expect(text).not.toContain('alpha');
    }
    // The search above covers the whole files; only zeros may follow the document.
    for (const file of [onHost.alpha, onHost.beta])
      expect(file.slice(file.indexOf('</metrics>\n') + 11)).toMatch(/^\0{60000,}$/);
  });

  it('take the private one of two disks without an option', () => {
    expect(alpha.get('default')).toContain('taken: /dev/vdb');
    expect(alpha.get('chosen')).toBe(alpha.get('private'));
  });

  it('get single values, on the shared disk their own', () => {
    expect(alpha.get('values')).toMatch(new RegExp(`^\\d+\n${ALPHA.name}\n${ALPHA.uuid}\n${ALPHA.uuid}\n$`));
  });

  it('find the channel with and without the link that udev makes', () => {
    expect(alpha.get('channel without udev')).toBe(alpha.get('channel'));
  });

  it('wait for the channel while another program of the guest has it open, but not for ever', () => {
    expect(alpha.get('two at a time')).toBe(alpha.get('channel'));
    expect(alpha.get('busy')).toContain('org.github.vhostmd.1 is busy: another program has it open');
    expect(alpha.get('busy')).toContain('status 1');
  });

  it('FAULTS 59: get their answer behind 1 MiB of garbage, which costs the daemon next to nothing', () => {
    expect(alpha.get('after garbage')).toBe(alpha.get('channel'));
    expect(cpu).toBeLessThan(1000);
  });
});
