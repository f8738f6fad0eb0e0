import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { libvirtStage } from '../../integration/libvirt-stage.ts';
import { xmlEscape } from '../../support/libvirtd.ts';
import { type Ended, TEST_URI, vhostmd } from './program.ts';

const stage = libvirtStage();
// Not a scratch folder: those belong to root, and QEMU runs as another user.
const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-attach-'));
const DISK = path.join(directory, 'shared & public');
beforeAll(() => {
  chmodSync(directory, 0o755);
  writeFileSync(DISK, Buffer.alloc(65_536), { mode: 0o644 });
});
afterEach(async () => {
  const { virsh } = stage().libvirtd;
  for (const uuid of (await virsh('list', '--all', '--persistent', '--uuid')).split('\n').filter(Boolean)) {
    await virsh('destroy', uuid).catch(() => '');
    await virsh('undefine', uuid);
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;
const file = (content: string): string => {
  const name = path.join(directory, `file-${(count += 1)}`);
  writeFileSync(name, content, { mode: 0o644 });
  return name;
};
const config = (transports: readonly string[], more = '', disk = DISK): string =>
  file(
    `<vhostmd><globals><disk><name>d</name><path>${xmlEscape(disk)}</path><size unit="k">64</size></disk>` +
      `<update_period>5</update_period><path>/bin</path>` +
      `${transports.map((name) => `<transport>${name}</transport>`).join('')}${more}</globals><metrics></metrics></vhostmd>`,
  );
const VBD = () => config(['vbd']);
const VIRTIO = () => config(['virtio']);

const AGENT = `<channel type='unix'><source mode='bind'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>`;
/** Returns the devices of a bus of scsi disks, which are detached without the guest's help. */
const scsi = (): string =>
  `<controller type='scsi' model='virtio-scsi'/><disk type='file' device='disk'><driver name='qemu' type='raw'/>` +
  `<source file='${xmlEscape(file('x'.repeat(65_536)))}'/><target dev='sda' bus='scsi'/><readonly/></disk>`;
const machine = (name: string, uuid: string, devices: string, more: string): string =>
  `<domain type='qemu'><name>${xmlEscape(name)}</name><uuid>${uuid}</uuid>${more}<memory unit='MiB'>16</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>${devices}</devices></domain>`;

type Kind = 'defined' | 'running' | 'transient';
const make = async (kind: Kind, name: string, devices = '', more = ''): Promise<string> => {
  const { virsh } = stage().libvirtd;
  const uuid = randomUUID();
  const xml = file(machine(name, uuid, devices, more));
  if (kind === 'transient') await virsh('create', '--paused', xml);
  else await virsh('define', xml);
  if (kind === 'running') await virsh('start', '--paused', '--domain', uuid);
  return uuid;
};
const attach = (...args: readonly string[]): Ended => vhostmd(['attach', '-c', stage().libvirtd.uri, ...args]);
const liveXml = async (name: string): Promise<string> => await stage().libvirtd.virsh('dumpxml', name);
const persistentXml = async (name: string): Promise<string> =>
  await stage().libvirtd.virsh('dumpxml', '--inactive', name);

const source = new RegExp(`<source file='${DISK.replace('&', '&amp;')}'( index='\\d')?/>`);

describe('vhostmd attach without --live and --config', () => {
  it('prints XML that virsh takes, and changes nothing', async () => {
    await make('running', 'web1');
    const before = (await liveXml('web1')) + (await persistentXml('web1'));
    const { code, stdout, stderr } = attach('web1', '-f', VBD());
    expect(stderr).toMatch(/^vhostmd: Domain "web1", UUID [-\da-f]{36}, found by its name; it runs with id \d+$/m);
    expect(stderr).toContain('can be attached to the running domain and its persistent definition');
    expect(code).toBe(0);
    expect((await liveXml('web1')) + (await persistentXml('web1'))).toBe(before);
    await stage().libvirtd.virsh('attach-device', 'web1', file(stdout), '--live', '--config');
    for (const xml of [await liveXml('web1'), await persistentXml('web1')]) {
      expect(xml).toMatch(source);
      expect(xml).toMatch(/<target dev='vda' bus='virtio'\/>\s*<readonly\/>/);
      expect(xml).not.toMatch(/<shareable|cache=/);
    }
  });

  it('prints the channel for a domain that does not run', async () => {
    await make('defined', 'web1');
    const { code, stdout, stderr } = attach('web1', '-f', VIRTIO());
    expect(stderr).toContain('found by its name; it does not run');
    expect(stderr).not.toContain('controller');
    await stage().libvirtd.virsh('attach-device', 'web1', file(stdout), '--config');
    expect(await persistentXml('web1')).toMatch(
      /<channel type='unix'>\s*<target type='virtio' name='org.github.vhostmd.1'/,
    );
    expect(code).toBe(0);
  });

  it('prints the private disk in place of the shared one, and says which domain it is', async () => {
    const uuid = await make('defined', 'web1');
    const more = `<vm_disk><path>${directory}/UUID.disk</path><size unit="k">64</size></vm_disk>`;
    const { code, stdout, stderr } = attach('web1', '-f', config(['vbd'], more));
    expect(stdout).toContain(`<source file='${directory}/${uuid}.disk'/>`);
    expect(stdout).not.toContain('shared');
    expect(stderr).toContain('The file does not exist, and QEMU needs it: vhostmd makes it');
    expect(code).toBe(0);
  });

  it('CASE A3: with --optional a domain starts without a disk that is missing, otherwise it does not', async () => {
    const missing = path.join(directory, 'missing');
    for (const [name, more] of [
      ['web1', ['--optional']],
      ['web2', []],
    ] as const) {
      await make('defined', name);
      expect(attach(name, '--config', '-f', config(['vbd'], '', missing), ...more).code).toBe(0);
      expect(await persistentXml(name)).toContain(missing);
    }
    await stage().libvirtd.virsh('start', 'web1');
    expect(await liveXml('web1')).not.toContain(missing);
    expect(await persistentXml('web1')).toContain("startupPolicy='optional'");
    await expect(stage().libvirtd.virsh('start', 'web2')).rejects.toThrow('Cannot access storage file');
  });

  it('with private disks says where the shared one still is', async () => {
    await make('defined', 'web1');
    attach('web1', '-f', VBD(), '--config');
    const more = `<vm_disk><path>${directory}/UUID.disk</path><size unit="k">64</size></vm_disk>`;
    const { code, stdout, stderr } = attach('web1', '-f', config(['vbd'], more));
    expect(stderr).toContain('The shared disk, which shows all domains, is in its persistent definition: --detach');
    expect(stdout).toContain("<target dev='vdb' bus='virtio'/>");
    expect(code).toBe(0);
  });

  it('warns of a metrics disk that the guest can write', async () => {
    const own = `<disk type='file' device='disk'><source file='${xmlEscape(DISK)}'/><target dev='vda' bus='virtio'/></disk>`;
    await make('defined', 'web1', own);
    const { code, stderr } = attach('web1', '-f', VBD());
    expect(stderr).toContain('already in its persistent definition, as vda');
    expect(stderr).toContain('There it is not read-only: the guest can overwrite the metrics');
    expect(code).toBe(1);
  });

  it('prints nothing for a device that is attached already, and says where', async () => {
    await make('defined', 'web1');
    expect(attach('web1', '-f', VBD(), '--config').code).toBe(0);
    const { code, stdout, stderr } = attach('web1', '-f', VBD());
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`The shared disk ${DISK} is already in its persistent definition, as vda`);
  });

  it('takes a hostile name for text, and ignores metadata', async () => {
    const name = 'web\u001b[31m $(id)';
    const own = `<disk type='file' device='disk'><source file='${xmlEscape(DISK)}'/><target dev='vda' bus='virtio'/></disk>`;
    const metadata = `<metadata><x:a xmlns:x='urn:x'>${own}<devices>${own}</devices><x:disk/></x:a></metadata>`;
    const uuid = await make('defined', name.replace('\u001b', '\u202e'), '', metadata);
    const { code, stdout, stderr } = attach(uuid, '-f', VBD());
    expect(stdout).toContain("<target dev='vda' bus='virtio'/>");
    expect(stderr).toContain(String.raw`Domain "web\u{202e}[31m $(id)", UUID ${uuid}, found by its UUID`);
    expect(code).toBe(0);
  });
});

describe('vhostmd attach --live', () => {
  it('attaches the disk to the running domain only', async () => {
    await make('running', 'web1');
    const { code, stdout } = attach('web1', '-f', VBD(), '--live');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `Attached the shared disk ${DISK} to the running domain as vda\n`,
    });
    expect(await liveXml('web1')).toMatch(source);
    expect(await persistentXml('web1')).not.toMatch(source);
  });

  it('attaches the channel to a domain that has a controller for it', async () => {
    await make('transient', 'web1', AGENT);
    expect(attach('web1', '-f', VIRTIO(), '--live')).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining('cannot') as string,
    });
    expect(await liveXml('web1')).toMatch(/<source mode='bind' path='[^']*org.github.vhostmd.1'\/>/);
  });

  it('says why a domain without such a controller cannot have the channel now, and what to do', async () => {
    await make('running', 'web1');
    const { code, stderr } = attach('web1', '-f', VIRTIO(), '--live');
    expect(stderr).toContain('The channel cannot be attached to the running domain: virDomainAttachDeviceFlags: ');
    expect(stderr).toContain('The running domain has no virtio-serial controller, and libvirt cannot plug one in');
    expect(stderr).toContain('--config attaches it for the next start of the domain');
    expect(code).toBe(1);
  });

  it('CASE E6: does not say that a running domain can have a channel that it cannot have', async () => {
    await make('running', 'web1');
    const { code, stdout, stderr } = attach('web1', '-f', VIRTIO());
    expect(stderr).toContain('cannot plug one in: it can have the channel from its next start on only (--config)');
    expect(stderr).toContain('The channel can be attached to its persistent definition\n');
    expect(stderr).not.toContain('can be attached to the running domain');
    expect({ code, printed: stdout !== '' }).toEqual({ code: 0, printed: true });
    await make('transient', 'web2');
    const transient = attach('web2', '-f', VIRTIO());
    expect(transient.stderr).toContain('The running domain has no virtio-serial controller');
    expect(transient.stderr).not.toContain('can be attached');
    expect({ code: transient.code, stdout: transient.stdout }).toEqual({ code: 1, stdout: '' });
  });

  it('CASE E6: says once why two devices cannot be attached, and what to do', async () => {
    const { virsh } = stage().libvirtd;
    const uuid = randomUUID();
    const xml = machine('web1', uuid, '', '').replace("machine='pc'", "machine='q35'");
    await virsh('define', file(xml));
    await virsh('start', '--paused', '--domain', uuid);
    const folder = mkdtempSync(path.join(directory, 'private-'));
    chmodSync(folder, 0o755);
    writeFileSync(path.join(folder, `${uuid}.disk`), Buffer.alloc(65_536), { mode: 0o644 });
    const both = config(['vbd'], `<vm_disk><path>${folder}/UUID.disk</path><size unit="k">64</size></vm_disk>`);
    // Uses up the free PCI ports that libvirt has created.
    const taken = Array.from({ length: 8 }, (_, index) => `vd${'mnopqrst'[index]}`);
    for (const dev of taken) {
      const disk = file('x'.repeat(65_536));
      const element = `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${xmlEscape(disk)}'/><target dev='${dev}' bus='virtio'/><readonly/></disk>`;
      await virsh('attach-device', 'web1', file(element), '--live').catch(() => '');
    }
    const { code, stderr } = attach(
      'web1',
      '-f',
      both,
      '--live',
      '--device',
      'shared-disk',
      '--device',
      'private-disk',
    );
    expect(code).toBe(1);
    expect(stderr.match(/No more available PCI/g)).toHaveLength(1);
    expect(stderr).toContain('cannot be attached to the running domain, for the same reason');
    expect(stderr.match(/has no free PCI port: add some/g)).toHaveLength(1);
    expect(stderr.match(/--config attaches it for the next start/g)).toHaveLength(1);
  });

  it('CASE E6: advises to start libvirt where nobody answers', () => {
    const uri = `qemu+unix:///session?socket=${directory}/nobody`;
    const { code, stderr } = vhostmd(['attach', '-c', uri, 'web1', '-f', VBD()]);
    expect(code).toBe(1);
    expect(stderr).toContain('Is libvirt running there? systemctl start libvirtd');
    expect(stderr).toContain('--connect URI names another');
  });

  it.each([
    ['shared', config(['vbd'], '', path.join(directory, 'none')), 'does not exist, and QEMU needs it: start vhostmd'],
    ['folder', config(['vbd'], '', '/tmp'), 'is no regular file, and QEMU needs it'],
    [
      'private',
      config(['vbd'], `<vm_disk><path>${directory}/UUID.disk</path><size unit="k">64</size></vm_disk>`),
      'does not exist, and QEMU needs it: vhostmd makes it for each domain that libvirt knows',
    ],
  ])('refuses a disk whose file is not there: %s', async (_which, file, message) => {
    await make('running', 'web1');
    const { code, stdout, stderr } = attach('web1', '-f', file, '--live');
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    // The disk may exist when the domain starts.
    const later = attach('web1', '-f', file, '--config');
    expect(later.stderr).toContain('the domain cannot start before');
    expect(later.code).toBe(0);
  });

  it('is refused for a domain that does not run', async () => {
    await make('defined', 'web1');
    const { code, stderr } = attach('web1', '-f', VBD(), '--live', '--config');
    expect(stderr).toContain('The domain does not run, so --live has nothing to change; use --config');
    expect(code).toBe(1);
    expect(await persistentXml('web1')).not.toMatch(source);
  });
});

describe('vhostmd attach --config', () => {
  it('changes the persistent definition only, so that the next start has it', async () => {
    await make('running', 'web1');
    const { code, stdout } = attach('web1', '-f', config(['vbd', 'virtio']), '--config');
    expect(stdout.split('\n')).toEqual([
      `Attached the shared disk ${DISK} to its persistent definition as vda`,
      'Attached the channel to its persistent definition',
      '',
    ]);
    expect(code).toBe(0);
    expect(await liveXml('web1')).not.toMatch(source);
    const { virsh } = stage().libvirtd;
    await virsh('destroy', 'web1');
    await virsh('start', '--paused', 'web1');
    expect(await liveXml('web1')).toMatch(source);
    expect(await liveXml('web1')).toMatch(/path='[^']*org.github.vhostmd.1'/);
  });

  it('is refused for a transient domain', async () => {
    await make('transient', 'web1');
    const { code, stderr } = attach('web1', '-f', VBD(), '--live', '--config');
    expect(stderr).toContain('The domain is transient: it has no persistent definition');
    expect(code).toBe(1);
    expect(await liveXml('web1')).not.toMatch(source);
  });
});

describe('vhostmd attach --live --config', () => {
  it('leaves devices that are attached, and attaches the missing ones under a name free in both definitions', async () => {
    await make('running', 'web1');
    const taken = file('x'.repeat(65_536));
    await stage().libvirtd.virsh('attach-disk', 'web1', taken, 'vda', '--mode', 'readonly', '--config');
    expect(attach('web1', '-f', VBD(), '--live').stdout).toContain(' as vdb\n');
    const { code, stdout, stderr } = attach('web1', '-f', VBD(), '--live', '--config');
    expect(stderr).toContain(`The shared disk ${DISK} is already in the running domain, as vdb`);
    expect(stdout).toBe(`Attached the shared disk ${DISK} to its persistent definition as vdc\n`);
    expect(code).toBe(0);
    const again = attach('web1', '-f', VBD(), '--live', '--config');
    expect({ code: again.code, stdout: again.stdout }).toEqual({ code: 1, stdout: '' });
    expect(again.stderr).toContain('already in its persistent definition, as vdc');
    expect((await persistentXml('web1')).match(new RegExp(source, 'g'))).toHaveLength(1);
  });
});

describe('vhostmd attach --detach', () => {
  it('detaches the devices from the running domain and from its definition', async () => {
    await make('running', 'web1', AGENT + scsi());
    const file = config(['vbd', 'virtio']);
    const attached = attach('web1', '-f', file, '--live', '--config');
    expect(attached.stdout.split('\n')).toHaveLength(5);
    expect(attached.stdout).toContain('to the running domain as sdb');
    const printed = attach('web1', '-f', file, '--detach', '--device', 'shared-disk');
    expect(printed.stdout).toMatch(/^<disk type='file' device='disk'>\n {2}<driver [^]*\n<\/disk>\n$/);
    expect(printed.stdout).toMatch(source);
    expect(await liveXml('web1')).toMatch(source);
    const { code, stdout } = attach('web1', '-f', file, '--detach', '--live', '--config');
    expect(stdout.split('\n')).toEqual([
      `Detached the shared disk ${DISK} from the running domain`,
      `Detached the shared disk ${DISK} from its persistent definition`,
      'Detached the channel from the running domain',
      'Detached the channel from its persistent definition',
      '',
    ]);
    expect(code).toBe(0);
    for (const xml of [await liveXml('web1'), await persistentXml('web1')]) {
      expect(xml).not.toMatch(source);
      expect(xml).not.toContain('org.github.vhostmd.1');
      expect(xml).toContain('org.qemu.guest_agent.0');
      expect(xml).toContain("<target dev='sda' bus='scsi'/>");
    }
  });

  it('says that a guest does not release a disk, and still removes it from the definition', async () => {
    await make('running', 'web1');
    attach('web1', '-f', VBD(), '--live', '--config');
    const { code, stdout, stderr } = attach(
      'web1',
      '-f',
      VBD(),
      '--detach',
      '--live',
      '--config',
      '--device',
      'shared-disk',
    );
    expect(stderr).toContain(
      `The shared disk ${DISK} is still in the running domain: the guest has not released it within 10 s`,
    );
    expect(stdout).toBe(`Detached the shared disk ${DISK} from its persistent definition\n`);
    expect(code).toBe(1);
    expect(await liveXml('web1')).toMatch(source);
  });

  it.each([[[]], [['--config']]])('refuses devices that are not attached (%j)', async (flags: readonly string[]) => {
    await make('defined', 'web1');
    const { code, stdout, stderr } = attach('web1', '-f', VBD(), '--detach', ...flags);
    expect(stderr).toContain(`The shared disk ${DISK} is not in its persistent definition`);
    expect(stderr).toContain('The channel is not in its persistent definition');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});

describe('the domain', () => {
  it('is looked up like virsh does: id, UUID, name; another one that might be meant is named', async () => {
    const first = await make('transient', 'web1');
    const id = await stage().libvirtd.virsh('domid', 'web1');
    const second = await make('defined', id);
    const third = await make('defined', first);
    const byId = attach(id, '-f', VBD());
    expect(byId.stderr).toContain(`Domain "web1", UUID ${first}, found by its id; it runs with id ${id}`);
    expect(byId.stderr).toContain(
      `"${id}" is the name of another domain as well, "${id}"; to select that one, give its UUID, ${second}`,
    );
    const byUuid = attach(first, '-f', VBD());
    expect(byUuid.stderr).toContain(`Domain "web1", UUID ${first}, found by its UUID`);
    expect(byUuid.stderr).toContain(`give its UUID, ${third}`);
    // No domain runs with this id, so the word is a name.
    await make('defined', '999999');
    expect(attach('999999', '-f', VBD()).stderr).toContain('found by its name');
  });

  it('that does not exist is an error, which names a similar one', async () => {
    await make('defined', 'webserver');
    const { code, stdout, stderr } = attach('websrver', '-f', VBD());
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: 'vhostmd: There is no domain "websrver"; did you mean "webserver"?\n',
    });
  });
});

describe('mistakes', () => {
  it('in the configuration are printed with their place, before libvirt is asked; exit status 2', () => {
    const { code, stdout, stderr } = vhostmd(['attach', '-c', 'nonsense:///', 'a', '-f', file('<vhostmd>')]);
    expect(stderr).toMatch(/^\/.*:1:\d+: [^\n]*\n$/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it('a device that the configuration does not serve is refused with status 2', () => {
    const { code, stderr } = vhostmd(['attach', ...TEST_URI, 'test', '-f', VBD(), '--device', 'channel']);
    expect(stderr).toMatch(/ has no channel: that needs <transport>virtio<\/transport>\n$/);
    expect(code).toBe(2);
  });

  it('a libvirt that cannot be reached is an error with status 1', () => {
    const uri = 'qemu+unix:///session?socket=/nonexistent';
    const { code, stdout, stderr } = vhostmd(['attach', '-c', uri, 'a', '-f', VBD(), '--live']);
    expect(stderr).toMatch(
      /^vhostmd: virConnectOpenAuth: [^\n]*\/nonexistent[^\n]*\nvhostmd: Is libvirt running there\?[^\n]*\n$/,
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});
