import { describe, expect, it } from 'vitest';

import { deviceFor, toAttach, toDetach } from '../../../src/cli/attach/devices.ts';
import type { Config } from '../../../src/config/config.ts';

const place = { file: 'c', line: 1, column: 1 };
const UUID = '6be3fdb8-bef5-6fec-b1b7-e61bbceab708';
const DISK = { disk: { name: 'd', path: '/dev/shm/vhostmd0', size: 65_536 } };
const VM_DISK = { vmDisk: { path: '/run/vhostmd/UUID.disk', size: 65_536, place } };
const config = (transports: readonly ('vbd' | 'virtio')[], more: Partial<Config> = {}): Config => ({
  file: 'vhostmd.conf',
  updatePeriod: 5000,
  path: '',
  transports: transports.map((name) => ({ name, place })),
  maxParallelActions: 8,
  sinks: [],
  metrics: [],
  ...more,
});

describe('the devices to attach without --device', () => {
  it.each([
    ['the shared disk', config(['vbd'], DISK), ['shared-disk']],
    ['the channel', config(['virtio']), ['channel']],
    ['not a disk that nobody writes', config(['virtio'], DISK), ['channel']],
    ['all that is served', config(['vbd', 'virtio'], DISK), ['shared-disk', 'channel']],
    ['the private disk', config(['vbd'], VM_DISK), ['private-disk']],
    ['the private disk in place of the shared one', config(['vbd'], { ...DISK, ...VM_DISK }), ['private-disk']],
    ['a private disk and the channel', config(['vbd', 'virtio'], { ...DISK, ...VM_DISK }), ['private-disk', 'channel']],
  ] as const)('is %s', (_what, of, kinds) => {
    expect(toAttach(of, [])).toEqual({ ok: true, value: kinds });
  });
});

describe('what is asked for', () => {
  const both = config(['vbd', 'virtio'], { ...DISK, ...VM_DISK });
  it('is attached, each once, in that order', () => {
    expect(toAttach(both, ['channel', 'shared-disk', 'channel'])).toEqual({
      ok: true,
      value: ['channel', 'shared-disk'],
    });
  });

  it.each([
    ['shared-disk', config(['virtio'], DISK), 'no shared disk: that needs <disk> and <transport>vbd</transport>'],
    ['private-disk', config(['vbd'], DISK), 'no private disk: that needs <vm_disk>'],
    ['channel', config(['vbd'], DISK), 'no channel: that needs <transport>virtio</transport>'],
  ] as const)('is refused if the configuration does not serve it: %s', (kind, of, message) => {
    expect(toAttach(of, [kind])).toEqual({ ok: false, error: `vhostmd.conf has ${message}` });
  });

  it('is detached also if the configuration does not serve it any more, as long as it can be found', () => {
    expect(toDetach(config(['virtio'], DISK), ['shared-disk'])).toEqual({ ok: true, value: ['shared-disk'] });
    expect(toDetach(config(['vbd'], DISK), ['channel'])).toEqual({ ok: true, value: ['channel'] });
    expect(toDetach(config(['vbd'], DISK), ['private-disk'])).toMatchObject({
      ok: false,
      error: expect.stringContaining('<vm_disk>') as string,
    });
  });
});

describe('the devices to detach without --device', () => {
  it('is everything that can be found', () => {
    expect(toDetach(config(['vbd'], { ...DISK, ...VM_DISK }), [])).toEqual({
      ok: true,
      value: ['shared-disk', 'private-disk', 'channel'],
    });
    expect(toDetach(config([]), [])).toEqual({ ok: true, value: ['channel'] });
  });
});

describe('deviceFor', () => {
  it("puts the domain's UUID into the path of the private disk only", () => {
    const disks = { disk: { name: '', path: '/UUID', size: 1 }, vmDisk: { path: '/UUID/UUID.disk', size: 1, place } };
    expect(deviceFor('private-disk', config([], disks), UUID)).toEqual({
      kind: 'private-disk',
      path: `/${UUID}/${UUID}.disk`,
    });
    expect(deviceFor('shared-disk', config([], disks), UUID)).toEqual({ kind: 'shared-disk', path: '/UUID' });
  });

  it('finds a disk by its file behind symbolic links', () => {
    expect(deviceFor('shared-disk', config([], DISK), UUID, () => '/run/shm/vhostmd0')).toEqual({
      kind: 'shared-disk',
      path: '/dev/shm/vhostmd0',
      real: '/run/shm/vhostmd0',
    });
  });
});
