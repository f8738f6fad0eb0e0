import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { hasDocument, readMetrics, startDaemon, until } from '../support/daemon.ts';
import { domainXml } from '../support/libvirtd.ts';
import { libvirtStage, stat } from './libvirt-stage.ts';

const stage = libvirtStage();

const METRICS = stat('host', 'host.hostname', 'string') + stat('vm', 'balloon.current');

const folderFor = (
  name: string,
): { readonly folder: string; readonly globals: string; readonly diskOf: (uuid: string) => string } => {
  const folder = path.join(stage().folder, name);
  return {
    folder,
    globals: `<vm_disk><path>${folder}/UUID.disk</path><size unit="k">64</size></vm_disk>`,
    diskOf: (uuid) => path.join(folder, `${uuid}.disk`),
  };
};

const define = async (name: string, uuid: string): Promise<void> => {
  const file = path.join(stage().folder, `${name}.xml`);
  writeFileSync(file, domainXml(name, '', uuid), { mode: 0o644 });
  await stage().libvirtd.virsh('define', file);
};
const uuidsOn = async (disk: string): Promise<readonly (string | undefined)[]> => [
  ...new Set((await readMetrics(disk)).map(({ uuid }) => uuid)),
];
const gone = async (file: string): Promise<void> => await until(`${file} is removed`, () => !existsSync(file));

describe('Private disks', () => {
  it('are there before a VM starts, and go when it is undefined and stopped', async () => {
    const { libvirtd, run } = stage();
    const { folder, globals, diskOf } = folderFor('defined');
    const [early, late] = ['1c9b8d62-5f0c-4d6c-b7a9-0a6f6c0a0001', '1c9b8d62-5f0c-4d6c-b7a9-0a6f6c0a0002'];
    await define('early', early);
    await run(METRICS, { globals });
    expect(readdirSync(folder)).toEqual([`${early}.disk`]);
    expect(await uuidsOn(diskOf(early))).toEqual([undefined]);
    await define('late', late);
    await until('the disk of a domain that is defined later', async () => await hasDocument(diskOf(late)));
    expect(statSync(diskOf(late)).size).toBe(65_536);
    await libvirtd.virsh('start', '--paused', 'late');
    await until('the values of the VM', async () => (await uuidsOn(diskOf(late))).includes(late));
    expect(await uuidsOn(diskOf(early))).toEqual([undefined]);
    await libvirtd.virsh('undefine', 'late');
    await libvirtd.virsh('undefine', 'early');
    await gone(diskOf(early));
    expect(existsSync(diskOf(late))).toBe(true);
    await libvirtd.destroy('late');
    await gone(diskOf(late));
  });

  it('of transient VMs come when they start and go when they stop', async () => {
    const { libvirtd, run } = stage();
    const { folder, globals, diskOf } = folderFor('transient');
    await run(METRICS, { globals });
    expect(readdirSync(folder)).toEqual([]);
    const uuid = await libvirtd.create('t');
    await until(
      'its disk with its values',
      async () => existsSync(diskOf(uuid)) && (await uuidsOn(diskOf(uuid))).includes(uuid),
    );
    await libvirtd.destroy('t');
    await gone(diskOf(uuid));
  });

  it('are all that there is where the configuration has no shared disk', async () => {
    const { libvirtd } = stage();
    const { folder, globals, diskOf } = folderFor('only');
    mkdirSync(folder);
    const uuid = await libvirtd.create('alone');
    const config = path.join(folder, 'vhostmd.conf');
    writeFileSync(
      config,
      `<vhostmd><globals><update_period>60</update_period><path>/bin</path><transport>vbd</transport>${globals}</globals>` +
        `<metrics>${METRICS}</metrics></vhostmd>`,
    );
    const daemon = await startDaemon(['-f', config, '-c', libvirtd.uri]);
    try {
      await until('its values', async () => (await uuidsOn(diskOf(uuid))).includes(uuid));
      expect(readdirSync(folder).sort()).toEqual([`${uuid}.disk`, 'vhostmd.conf'].sort());
    } finally {
      await daemon.stop();
    }
    expect(await uuidsOn(diskOf(uuid))).toEqual([undefined, uuid]);
  });

  it('FAULTS 69: never hold a byte of another VM, over starts, stops and renames', async () => {
    const { libvirtd, run } = stage();
    const { globals, diskOf } = folderFor('isolated');
    const names = ['secret-alpha', 'secret-beta', 'secret-gamma'] as const;
    const name = `<metric type="string" context="vm"><name>Name</name><action>echo "$VHOSTMD_VM_NAME"</action></metric>`;
    await run(METRICS + name, { globals });
    const uuids: string[] = [];
    const scan = (): void => {
      for (const own of uuids) {
        if (!existsSync(diskOf(own))) continue;
        const bytes = readFileSync(diskOf(own), 'latin1');
        for (const other of uuids) if (other !== own) expect(bytes).not.toContain(other);
        names.forEach((text, at) => {
          if (uuids[at] !== own) expect(bytes).not.toContain(text);
        });
      }
    };
    for (const one of names) uuids.push(await libvirtd.create(one));
    for (const own of uuids)
      await until('its own values', async () => existsSync(diskOf(own)) && (await uuidsOn(diskOf(own))).includes(own));
    expect(readFileSync(diskOf(uuids[1] ?? ''), 'latin1')).toContain('secret-beta');
    scan();
    await libvirtd.destroy(uuids[0] ?? '');
    await gone(diskOf(uuids[0] ?? ''));
    scan();
    await libvirtd.create('secret-alpha', { uuid: uuids[0] ?? '' });
    await until(
      'the values of its next life',
      async () => existsSync(diskOf(uuids[0] ?? '')) && (await uuidsOn(diskOf(uuids[0] ?? ''))).includes(uuids[0]),
    );
    scan();
  });

  it('outlive the daemon: the next one takes them over, and removes those of VMs that went meanwhile', async () => {
    const { libvirtd, run } = stage();
    const { globals, diskOf } = folderFor('restart');
    const [stays, goes] = [await libvirtd.create('stays'), await libvirtd.create('goes')];
    const first = await run(METRICS, { globals });
    for (const uuid of [stays, goes])
      await until('its values', async () => (await uuidsOn(diskOf(uuid))).includes(uuid));
    const { ino } = statSync(diskOf(stays));
    await first.daemon.stop('SIGKILL');
    await libvirtd.destroy('goes');
    expect(await uuidsOn(diskOf(goes))).toContain(goes);
    // An old disk: a young one may be the hook's, for a VM that is about to start.
    utimesSync(diskOf(goes), 0, 0);
    await run(METRICS, { globals });
    await gone(diskOf(goes));
    expect(statSync(diskOf(stays)).ino).toBe(ino);
    expect(await uuidsOn(diskOf(stays))).toContain(stays);
  });
});
