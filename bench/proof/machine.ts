import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startVirtualMachine } from '../../test/guest/virtual-machine.ts';
import { type PrivateLibvirtd, startLibvirtd } from '../../test/support/libvirtd.ts';
import { networkDisk } from '../../test/support/slow-storage.ts';
import { order, SCRIPT, type Work } from './guest.ts';
import { enterMemoryGroup, type Groups, makeGroups } from './groups.ts';

const NAME = 'proof';
const TAP = 'vhostmdproof0';
// QEMU of a user opens it.
const TUN = '/dev/net/tun';
/** Address of the host on the tap, and one that no guest has. */
const NETWORK = { host: '198.51.100.1', guest: '198.51.100.2', mac: '52:54:00:12:34:56' };

/** A real VM with a fast disk, a slow one, an interface that nobody reads, and control groups of its own. */
export interface Machine {
  readonly libvirtd: PrivateLibvirtd;
  readonly uuid: string;
  readonly groups: Groups;
  /** `major:minor` of the device that has the file of its fast disk. */
  readonly device: string;
  /** Address to which packets go to the guest's interface. */
  readonly address: string;
  /** Folder in which QEMU may make files. */
  readonly folder: string;
  readonly work: (work: Work) => void;
  readonly close: () => Promise<void>;
}

const ip = (...args: readonly string[]): void => void execFileSync('ip', args, { stdio: 'pipe' });

const makeTap = (): (() => void) => {
  const { mode } = statSync(TUN);
  chmodSync(TUN, 0o666);
  ip('tuntap', 'add', 'dev', TAP, 'mode', 'tap', 'user', 'nobody');
  ip('address', 'add', `${NETWORK.host}/30`, 'dev', TAP);
  ip('link', 'set', TAP, 'up');
  ip('neighbour', 'add', NETWORK.guest, 'lladdr', NETWORK.mac, 'dev', TAP, 'nud', 'permanent');
  return () => {
    ip('link', 'delete', TAP);
    chmodSync(TUN, mode & 0o777);
  };
};

const diskXml = (target: string, source: string, type = 'file'): string =>
  `<disk type='${type}' device='disk'><driver name='qemu' type='raw' cache='none'/>${source}<target dev='${target}' bus='virtio'/></disk>`;

export const startMachine = async (): Promise<Machine> => {
  const undo: (() => Promise<unknown> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.toReversed())
      try {
        await step();
      } catch (error) {
        console.error(`why:proof: cleaning up: ${String(error)}`);
      }
  };
  try {
    const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-proof-'));
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o777);
    const swap = path.join(folder, 'swap');
    execFileSync('sh', ['-ec', 'fallocate -l 512M "$0"; chmod 600 "$0"; mkswap "$0"; swapon "$0"', swap], {
      stdio: 'pipe',
    });
    undo.push(() => void execFileSync('swapoff', [swap]));
    const fileOf = (name: string, mebibytes: number): string => {
      const file = path.join(folder, name);
      writeFileSync(file, Buffer.alloc(mebibytes * 2 ** 20, 1));
      chmodSync(file, 0o666);
      return file;
    };
    const [fast, orders] = [fileOf('fast', 64), fileOf('orders', 1)];
    order(orders, 'idle');
    undo.push(makeTap());
    const slow = await networkDisk(folder, '--filter=noextents', '--filter=delay', 'memory', '64M', 'rdelay=60ms');
    undo.push(slow.close);
    // Bits per second.
    const limited = await networkDisk(folder, '--filter=noextents', '--filter=rate', 'memory', '256M', 'rate=32M');
    undo.push(limited.close);
    const libvirtd = await startLibvirtd();
    undo.push(libvirtd.close);
    enterMemoryGroup(libvirtd.pid());
    const vm = await startVirtualMachine(libvirtd, {
      name: NAME,
      script: SCRIPT,
      devices:
        diskXml('vda', `<source file='${fast}'/>`) +
        diskXml('vdb', slow.source, 'network') +
        diskXml('vdc', `<source file='${orders}'/>`) +
        diskXml('vdd', limited.source, 'network') +
        `<interface type='ethernet'><mac address='${NETWORK.mac}'/><target dev='${TAP}' managed='no'/><model type='e1000'/></interface>`,
    });
    undo.push(vm.destroy);
    const id = Number(await libvirtd.virsh('domid', NAME));
    const groups = makeGroups(libvirtd.qemuPid(vm.uuid), id, NAME);
    // It ends with libvirtd, after which its groups are empty.
    undo.splice(undo.indexOf(libvirtd.close), 0, async () => {
      await sleep(500);
      groups.remove();
    });
    await vm.reached('ready', 120_000);
    const { dev } = statSync(fast);
    return {
      libvirtd,
      uuid: vm.uuid,
      groups,
      device: `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`,
      address: NETWORK.guest,
      folder,
      work: (work) => order(orders, work),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
