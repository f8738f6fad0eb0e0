import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll } from 'vitest';

import { libvirtStage } from '../integration/libvirt-stage.ts';
import { type RunningDaemon, startDaemon, until } from '../support/daemon.ts';
import type { PrivateLibvirtd } from '../support/libvirtd.ts';
import { sharedFolder } from './virtual-machine.ts';

export interface GuestStage {
  readonly libvirtd: () => PrivateLibvirtd;
  /** A folder that QEMU may use. */
  readonly folder: string;
  /** The shared disk, and the private disk of a domain. */
  readonly shared: string;
  readonly privateDisk: (uuid: string) => string;
  readonly config: string;
  readonly daemon: () => RunningDaemon;
  /** Ends the daemon and starts it again. */
  readonly restart: (signal: NodeJS.Signals) => Promise<void>;
  /** Waits for the private disk of a defined domain. */
  readonly hasDisk: (uuid: string) => Promise<void>;
}

/** Provides a private libvirtd, and a daemon on it with all transports, for the tests of a file. `period`: seconds. */
export const guestStage = (metrics: (folder: string) => string, period = 1): GuestStage => {
  const stage = libvirtStage({ keepDomains: true });
  const folder = sharedFolder();
  const shared = path.join(folder, 'shared.disk');
  // Belongs to the daemon's own user: `folder` is QEMU's.
  const own = mkdtempSync(path.join(tmpdir(), 'vhostmd-own-'));
  chmodSync(own, 0o755);
  const privateDisk = (uuid: string): string => path.join(own, 'private', `${uuid}.disk`);
  const config = path.join(folder, 'vhostmd.conf');
  let daemon: RunningDaemon | undefined;
  const start = async (): Promise<void> => {
    daemon = await startDaemon(['-f', config, '-c', stage().libvirtd.uri]);
  };
  const running = (): RunningDaemon => {
    if (daemon === undefined) throw new Error('the daemon runs in tests only');
    return daemon;
  };
  beforeAll(async () => {
    writeFileSync(
      config,
      `<vhostmd><globals><disk><name>d</name><path>${shared}</path><size unit="k">64</size></disk>` +
        `<update_period>${period}</update_period><path>/usr/bin:/bin</path>` +
        `<transport>vbd</transport><transport>virtio</transport>` +
        `<vm_disk><path>${privateDisk('UUID')}</path><size unit="k">64</size></vm_disk></globals>` +
        `<metrics>${metrics(folder)}</metrics></vhostmd>`,
    );
    await start();
  });
  afterAll(async () => {
    await daemon?.stop();
    for (const each of [folder, own]) rmSync(each, { recursive: true, force: true });
  });
  return {
    libvirtd: () => stage().libvirtd,
    folder,
    shared,
    privateDisk,
    config,
    daemon: running,
    restart: async (signal) => {
      await running().stop(signal);
      await start();
    },
    hasDisk: async (uuid) =>
      await until('its private disk', () => readdirSync(path.dirname(privateDisk(uuid))).includes(`${uuid}.disk`)),
  };
};

/** Returns the CPU time of a process so far, in milliseconds. */
export const cpuOf = (pid: number | undefined): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
};

/** Returns the document on a disk. */
export const documentOn = (disk: string): string => {
  const bytes = readFileSync(disk);
  return bytes.toString('latin1', 16, 16 + bytes.readUInt32BE(12));
};

/** Returns a document without the white space that makes its sum unique. */
export const squeezed = (document: string | undefined): string | undefined => document?.replaceAll(/[ \t]+$/gm, '');
