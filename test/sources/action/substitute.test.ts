import { describe, expect, it } from 'vitest';

import { environment, isSafeName, substitute } from '../../../src/sources/action/substitute.ts';
import { domainOf, PATH, UUID } from './requests.ts';

const domain = domainOf('web-01');
const vm = (command: string, name = 'web-01'): string => substitute(command, { path: PATH, domain: domainOf(name) });

describe('substitution', () => {
  it.each([
    ['virsh dominfo NAME | wc', 'virsh dominfo web-01 | wc'],
    ["virsh dominfo 'NAME'", "virsh dominfo 'web-01'"],
    ['virsh dominfo "NAME"', 'virsh dominfo "web-01"'],
    ['cat /x/NAME/y NAME.log pre-NAME-post', 'cat /x/web-01/y web-01.log pre-web-01-post'],
    ['NAME', 'web-01'],
    ['virsh CONNECT dominfo VMID', 'virsh  dominfo 7'],
    ['virsh dominfo UUID;virsh vcpuinfo UUID', `virsh dominfo ${UUID};virsh vcpuinfo ${UUID}`],
  ])('puts values for whole words: %s', (command, expected) => {
    expect(vm(command)).toBe(expected);
  });

  it.each([
    'echo $HOSTNAME',
    'echo "$VHOSTMD_VM_NAME" $VHOSTMD_VM_UUID ${VHOSTMD_CONNECT}',
    'echo RENAMED NAMES _NAME NAME_ NAME2 2NAME UUIDs VMIDs RECONNECT',
    'echo name Uuid connect',
    'echo $NAME ${NAME} ${UUID:-x}',
  ])('leaves words that only contain a token alone: %s', (command) => {
    expect(vm(command)).toBe(command);
  });

  it.each(['UUID', 'VMID', 'CONNECT', 'NAME'])('FAULTS 30: does not look again at a name that is %s', (name) => {
    expect(vm('echo NAME UUID', name)).toBe(`echo ${name} ${UUID}`);
  });

  it('replaces only the connection in context host', () => {
    expect(substitute('virsh CONNECT list NAME VMID UUID', { path: PATH, connect: 'test:///default' })).toBe(
      "virsh --connect 'test:///default' list NAME VMID UUID",
    );
  });

  it('quotes the URI, and takes $& in it literally', () => {
    expect(substitute('virsh CONNECT list', { path: PATH, connect: "a'b$&$(id)" })).toBe(
      "virsh --connect 'a'\\''b$&$(id)' list",
    );
  });
});

describe('a safe name', () => {
  it.each(['web01', 'a', 'A_b.c+d:e@f-g', '.x', 'win-10', '10a', 'NAME', '+5a', 'a'.repeat(300)])('is %s', (name) => {
    expect(isSafeName(name)).toBe(true);
  });

  it.each([
    ['an empty one', ''],
    ['an option', '-h'],
    ['an id', '12'],
    ['an id with a sign', '+12'],
    ['a UUID', UUID],
    ['a UUID in capitals, without hyphens', UUID.replaceAll('-', '').toUpperCase()],
    ['a UUID with hyphens anywhere', `6-${UUID.slice(1)}`],
    ['a step up', '..'],
    ['one with a trailing newline', 'web\n'],
    ['one with a space', 'a b'],
    ['letters beyond ASCII', 'w\u00e9b'],
  ])('is not %s', (_what, name) => {
    expect(isSafeName(name)).toBe(false);
    expect(vm('dominfo NAME', name)).toBe(`dominfo ${UUID}`);
  });
});

describe('the environment', () => {
  it('has the domain and the connection, and nothing else of the daemon', () => {
    const { HOME, TZ, ...rest } = environment({ path: '/bin', connect: 'qemu:///system', domain });
    expect(rest).toEqual({
      PATH: '/bin',
      LC_ALL: 'C',
      LIBVIRT_DEFAULT_URI: process.env['LIBVIRT_DEFAULT_URI'] ?? 'qemu:///system',
      VHOSTMD_CONNECT: 'qemu:///system',
      VHOSTMD_VM_NAME: 'web-01',
      VHOSTMD_VM_UUID: UUID,
      VHOSTMD_VM_ID: '7',
    });
    expect([HOME, TZ]).toEqual([process.env['HOME'], process.env['TZ']]);
  });

  it("CASE B7: has the URI of libvirt that the daemon's environment names, else that of -c", () => {
    const before = process.env['LIBVIRT_DEFAULT_URI'];
    const uriOf = (connect?: string) => environment({ path: '/bin', connect })['LIBVIRT_DEFAULT_URI'];
    try {
      delete process.env['LIBVIRT_DEFAULT_URI'];
      expect(uriOf()).toBeUndefined();
      expect(uriOf('qemu:///session')).toBe('qemu:///session');
      process.env['LIBVIRT_DEFAULT_URI'] = '';
      expect(uriOf('qemu:///session')).toBe('qemu:///session');
      process.env['LIBVIRT_DEFAULT_URI'] = 'xen:///system';
      expect(uriOf()).toBe('xen:///system');
      expect(uriOf('qemu:///session')).toBe('xen:///system');
    } finally {
      if (before === undefined) delete process.env['LIBVIRT_DEFAULT_URI'];
      else process.env['LIBVIRT_DEFAULT_URI'] = before;
    }
  });

  it('names no domain in context host', () => {
    expect(Object.keys(environment({ path: '/bin' })).filter((name) => name.startsWith('VHOSTMD'))).toEqual([]);
  });

  it("has the daemon's own PATH where the configuration's is empty, as with the C daemon", () => {
    expect(environment({ path: '' })['PATH']).toBe(process.env['PATH']);
    expect(environment({ path: '/bin' })['PATH']).toBe('/bin');
  });

  it('drops NUL, which no environment can hold', () => {
    expect(environment({ path: '/bin', domain: domainOf('a\0b') })['VHOSTMD_VM_NAME']).toBe('ab');
  });
});
