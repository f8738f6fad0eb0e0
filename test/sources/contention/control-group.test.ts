import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { controlGroupOf, machineIn } from '../../../src/sources/contention/control-group.ts';

const UNIFIED = '30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';
const HYBRID = `31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
32 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 24 0:29 / /sys/fs/cgroup/with\\040space rw - cgroup cgroup rw,memory
34 24 0:30 / /tmp rw - tmpfs tmpfs rw
`;
const SCOPE = String.raw`machine-qemu\x2d7\x2dweb.scope`;

let proc = '';
beforeEach(() => {
  proc = mkdtempSync(path.join(tmpdir(), 'vhostmd-cgroup-'));
  for (const folder of ['self', '42']) mkdirSync(path.join(proc, folder));
});
afterEach(() => rmSync(proc, { recursive: true }));

const find = (mountinfo: string, cgroup: string) => {
  writeFileSync(path.join(proc, 'self/mountinfo'), mountinfo);
  writeFileSync(path.join(proc, '42/cgroup'), cgroup);
  return controlGroupOf('42', 7, proc);
};

describe('The control group of a domain', () => {
  it('is the scope that systemd made for libvirt, of version 2', () => {
    expect(find(UNIFIED, `0::/machine.slice/${SCOPE}/libvirt/emulator\n`)).toEqual({
      unified: `/sys/fs/cgroup/machine.slice/${SCOPE}`,
      v1: new Map(),
    });
  });

  it('is the group that libvirt made without systemd, of version 1 with pressure of version 2', () => {
    const group = '/machine/qemu-7-web.libvirt-qemu';
    const cgroup = `9:name=systemd:/\n4:cpu,cpuacct:${group}/emulator\n3:memory:${group}\n0::${group}\n`;
    expect(find(HYBRID, cgroup)).toEqual({
      unified: `/sys/fs/cgroup/unified${group}`,
      v1: new Map([
        ['cpu', `/sys/fs/cgroup/cpu,cpuacct${group}`],
        ['cpuacct', `/sys/fs/cgroup/cpu,cpuacct${group}`],
        ['memory', `/sys/fs/cgroup/with space${group}`],
      ]),
    });
  });

  it('is found where only a part of the hierarchy is mounted, as in a container', () => {
    const part = '30 24 0:26 /machine.slice /cg rw - cgroup2 cgroup2 rw\n';
    expect(find(part, `0::/machine.slice/${SCOPE}/libvirt\n`)).toEqual({ unified: `/cg/${SCOPE}`, v1: new Map() });
    expect(find(part, `0::/machine.slices/${SCOPE}\n`)).toMatch(/no control group/);
  });

  it.each([
    ['another run', '/machine/qemu-70-web.libvirt-qemu'],
    ['a run whose id begins alike', '/machine/qemu-77-web.libvirt-qemu'],
    ['a group that libvirt did not make', '/user.slice/session-1.scope'],
    ['the root of all processes', '/'],
    ['a name that holds the pattern', '/machine/qemu-8-qemu-7-x.libvirt-qemu'],
    ['a name that holds it after a dash', String.raw`/machine.slice/machine-qemu\x2d8\x2dmachine-qemu\x2d7\x2d.scope`],
  ])('is not %s', (_what, group) => {
    expect(find(UNIFIED, `0::${group}\n`)).toBe('libvirt has made no control group for the domain');
  });

  it("may have a name like any of libvirt's own groups", () => {
    expect(machineIn('/machine/qemu-7-emulator.libvirt-qemu/emulator', 7)).toBe(
      '/machine/qemu-7-emulator.libvirt-qemu',
    );
    expect(machineIn('/machine/qemu-7-qemu-7-.libvirt-qemu/vcpu0', 7)).toBe('/machine/qemu-7-qemu-7-.libvirt-qemu');
  });

  it('is a reason where it cannot be read', () => {
    writeFileSync(path.join(proc, 'self/mountinfo'), UNIFIED);
    expect(controlGroupOf('42', 7, proc)).toBe('its control groups cannot be read: ENOENT: no such file or directory');
  });
});
