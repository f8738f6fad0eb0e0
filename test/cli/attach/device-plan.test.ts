import { describe, expect, it } from 'vitest';

import { deviceXml, freeTarget } from '../../../src/cli/attach/device-xml.ts';
import type { Device } from '../../../src/cli/attach/devices.ts';
import {
  definitionOf,
  devOf,
  findDevice,
  hasSerialController,
  isWritable,
  planSteps,
} from '../../../src/cli/attach/device-plan.ts';
import type { DomainConfigScope } from '../../../src/sources/libvirt/domain-devices.ts';
import { devicesReader } from '../../../src/sources/libvirt/domain-xml.ts';

const SHARED: Device = { kind: 'shared-disk', path: '/dev/shm/vhostmd0' };
const CHANNEL: Device = { kind: 'channel' };
const domain = (devices: string, more = ''): string =>
  `<domain type='kvm'><name>a</name>${more}<devices><emulator>/q</emulator>${devices}</devices></domain>`;
const disk = (dev: string, { bus = 'virtio', file = `/images/${dev}`, device = 'disk', more = '' } = {}): string =>
  `<disk type='file' device='${device}'><source file='${file}'/><target dev='${dev}' bus='${bus}'/>${more}</disk>`;
const channel =
  "<channel type='unix'><source mode='bind'/><target type='virtio' name='org.github.vhostmd.1'/></channel>";
const definition = (devices: string, where: DomainConfigScope = 'live', more = '') =>
  definitionOf(where, domain(devices, more));
const disksOf = (devices: string) => devicesReader('disk')(domain(devices));

describe('the name of a disk', () => {
  it.each([
    ['no disk', '', 'vda'],
    ['some disks', disk('vda') + disk('vdb'), 'vdc'],
    ['a gap', disk('vda') + disk('vdc'), 'vdb'],
    ['the name on another bus', disk('vda', { bus: 'ide' }) + disk('vdb', { bus: 'sata' }), 'vdc'],
    ['the name on a CD drive', disk('vda', { device: 'cdrom' }), 'vdb'],
    ['other names only', disk('sda', { bus: 'sata' }) + disk('hdb', { bus: 'ide' }), 'vda'],
  ])('is the first that is free: %s', (_what, devices, dev) => {
    expect(freeTarget(disksOf(devices))).toEqual({ dev, bus: 'virtio' });
  });

  it('goes on behind z with two letters', () => {
    const names = Array.from({ length: 26 + 26 * 26 }, (_, index) => {
      const letters = 'abcdefghijklmnopqrstuvwxyz';
      const first = index < 26 ? '' : letters[Math.floor(index / 26) - 1];
      return `vd${first}${letters[index % 26]}`;
    });
    expect(freeTarget([], names.slice(0, 25)).dev).toBe('vdz');
    expect(freeTarget([], names.slice(0, 26)).dev).toBe('vdaa');
    expect(freeTarget([], names.slice(0, 52)).dev).toBe('vdba');
    expect(freeTarget([], names.slice(0, 701)).dev).toBe('vdzz');
    expect(freeTarget([], names).dev).toBe('vdaaa');
  });

  it.each([
    ['scsi', disk('sda', { bus: 'scsi' }), 'sdb'],
    ['xen', disk('xvda', { bus: 'xen' }) + disk('hdc', { bus: 'ide', device: 'cdrom' }), 'xvdb'],
  ])('is one of the bus %s if the hard disks are there and none is on virtio', (bus, devices, dev) => {
    expect(freeTarget(disksOf(devices))).toEqual({ dev, bus });
    expect(freeTarget(disksOf(devices + disk('vda'))).bus).toBe('virtio');
  });

  it('is not led by a CD drive', () => {
    expect(freeTarget(disksOf(disk('sda', { bus: 'scsi', device: 'cdrom' })))).toEqual({ dev: 'vda', bus: 'virtio' });
  });

  it('is free in the running domain and in its definition, and different for two disks', () => {
    const steps = planSteps(
      [SHARED, CHANNEL, { kind: 'private-disk', path: '/p' }],
      [definition(disk('vda')), definition(disk('vdb'), 'persistent')],
      true,
    );
    expect(steps.map(({ dev }) => dev)).toEqual(['vdc', undefined, 'vdd']);
    expect(steps[2]?.xml).toContain("<target dev='vdd' bus='virtio'/>");
  });
});

describe('the XML of a device', () => {
  it('of a disk is read-only, raw, and keeps its owner', () => {
    expect(deviceXml(SHARED, { dev: 'vdb', bus: 'virtio' }, true)).toBe(`<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/>
  <source file='/dev/shm/vhostmd0'>
    <seclabel model='dac' relabel='no'/>
  </source>
  <target dev='vdb' bus='virtio'/>
  <readonly/>
</disk>
`);
  });

  it('CASE A3: of a disk lets a domain start without it, if that is asked for', () => {
    const target = { dev: 'vdb', bus: 'virtio' };
    expect(deviceXml(SHARED, target, true, true)).toContain(
      "<source file='/dev/shm/vhostmd0' startupPolicy='optional'>\n",
    );
    expect(deviceXml(SHARED, target, false, true)).toContain(
      "<source file='/dev/shm/vhostmd0' startupPolicy='optional'/>\n",
    );
    expect(deviceXml({ kind: 'channel' }, target, true, true)).not.toContain('startupPolicy');
  });

  it('of a disk has no label where libvirt has no such security model, and would refuse to start the domain', () => {
    const xml = deviceXml(SHARED, { dev: 'vdb', bus: 'virtio' }, false);
    expect(xml).toContain("  <source file='/dev/shm/vhostmd0'/>\n");
    expect(xml).not.toContain('seclabel');
  });

  it.each([`/it's <a> "b" & c`, '/tab\tand\nline', '/Ünicode \u{1f600}', "/'/><shareable/><source file='/etc/shadow"])(
    'has the path escaped, so that it is read back: %j',
    (path) => {
      const device: Device = { kind: 'private-disk', path };
      const xml = deviceXml(device, { dev: 'vda', bus: 'virtio' }, true);
      const [found, ...more] = devicesReader('disk')(domain(xml));
      expect(more).toEqual([]);
      expect(found?.children.map(({ name }) => name)).toEqual(['driver', 'source', 'target', 'readonly']);
      expect(found && findDevice(device, { where: 'live', devices: [found] })).toBe(found);
      expect(found?.children[1]?.attributes['file']).toBe(path);
    },
  );

  it('of the channel leaves its socket to libvirt', () => {
    expect(deviceXml(CHANNEL, { dev: 'vda', bus: 'virtio' }, true)).toBe(`<channel type='unix'>
  <source mode='bind'/>
  <target type='virtio' name='org.github.vhostmd.1'/>
</channel>
`);
  });
});

describe('a device that is there', () => {
  const there = (device: Device, devices: string, more = '') => findDevice(device, definition(devices, 'live', more));

  it('is found by its file, under whatever name and bus', () => {
    const found = there(SHARED, disk('vda') + disk('hdb', { bus: 'ide', file: '/dev/shm/vhostmd0' }));
    expect(found && devOf(found)).toBe('hdb');
    expect(there(SHARED, disk('vda'))).toBeUndefined();
    expect(there(SHARED, disk('vda', { file: '/dev/shm/vhostmd0.old' }))).toBeUndefined();
  });

  it('is found by the file behind symbolic links, and by a path with references', () => {
    expect(there({ ...SHARED, real: '/run/x' }, disk('vda', { file: '/run/x' }))).toBeDefined();
    expect(there({ kind: 'shared-disk', path: "/a&b'" }, disk('vda', { file: '/a&amp;b&apos;' }))).toBeDefined();
  });

  it('is the channel of that name only', () => {
    expect(there(CHANNEL, channel)).toBeDefined();
    expect(there(CHANNEL, channel.replace('vhostmd.1', 'vhostmd.2'))).toBeUndefined();
    expect(there(CHANNEL, channel.replace("type='virtio'", "type='guestfwd'"))).toBeUndefined();
  });

  const own = disk('vda', { file: SHARED.path });
  it.each([
    ['in metadata', '', `<metadata>${own}${channel}</metadata>`],
    ['in metadata, as a whole domain', '', `<metadata>${domain(own + channel)}</metadata>`],
    [
      'in metadata with a false end',
      '',
      `<metadata><a>&lt;/metadata><!--</metadata>--><devices>${own}${channel}</devices></a></metadata>`,
    ],
    ['of another namespace', own.replaceAll('disk', 'x:disk') + channel.replaceAll('channel', 'x:channel'), ''],
    ['inside of another device', `<hostdev>${own}${channel}</hostdev>`, ''],
    ['outside of the devices', '', own + channel],
    ['in a comment', `<!--${own}${channel}-->`, ''],
  ])('is not a look-alike %s', (_what, devices, more) => {
    expect(there(SHARED, devices, more)).toBeUndefined();
    expect(there(CHANNEL, devices, more)).toBeUndefined();
    const [step] = planSteps([SHARED], [definition(devices, 'live', more)], true);
    expect(step).toMatchObject({ there: [], dev: 'vda' });
  });

  it('is reported with the description that has it', () => {
    const [step] = planSteps([SHARED], [definition(''), definition(own, 'persistent')], true);
    expect(step?.there.map(({ where, element }) => [where, element.xml])).toEqual([['persistent', own]]);
  });

  it('is reported as writable if it is', () => {
    const writable = (devices: string) => definition(devices).devices.map(isWritable);
    expect(writable(disk('vda') + disk('vdb', { more: '<readonly/>' }) + channel)).toEqual([true, false, false]);
  });
});

describe('the controller that a channel needs', () => {
  it('is one for virtio-serial', () => {
    expect(hasSerialController(definition("<controller type='virtio-serial' index='0'/>"))).toBe(true);
    expect(hasSerialController(definition("<controller type='usb' index='0'/>"))).toBe(false);
  });
});

describe('text that is no XML of a domain', () => {
  it('is an error, not a domain without devices', () => {
    expect(() => definitionOf('live', '<domain><devices><disk')).toThrow();
  });
});
