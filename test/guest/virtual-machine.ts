import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { until } from '../support/daemon.ts';
import { type PrivateLibvirtd, xmlEscape } from '../support/libvirtd.ts';
import { alive } from '../support/processes.ts';
import { END, makeInitramfs, MARK } from './initramfs.ts';
import { findKernel } from './kernel.ts';

// As root, a test's private libvirtd and its QEMU run as this user.
const NOBODY = 65534;

/** A Linux guest that runs a script and powers off. */
export interface VirtualMachine {
  readonly name: string;
  readonly uuid: string;
  /** Returns the output so far, by section. */
  readonly printed: () => ReadonlyMap<string, string>;
  /** Waits until the guest has begun a section. */
  readonly reached: (section: string, timeout?: number) => Promise<void>;
  /** Waits until the guest has powered off; returns its output by section. */
  readonly ended: (timeout?: number) => Promise<ReadonlyMap<string, string>>;
  /** Ends a guest that does not power off by itself. */
  readonly destroy: () => Promise<void>;
}

export interface VirtualMachineOptions {
  readonly name: string;
  readonly uuid?: string;
  /** Further XML of `<devices>`. */
  readonly devices?: string;
  /** Gives it a balloon. */
  readonly balloon?: boolean;
  /** Waits for a condition between the definition and the start of the guest. */
  readonly ready?: () => Promise<void>;
  /** Runs in `sh` in the guest; `section NAME` begins a section of the output. */
  readonly script: string;
}

/** Makes a folder that QEMU may read, and in which it may create sockets. */
export const sharedFolder = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-guest-'));
  chmodSync(folder, 0o755);
  if (process.getuid?.() === 0) chownSync(folder, NOBODY, NOBODY);
  return folder;
};

/**
 * Returns the XML of a metrics disk, without the `<seclabel>` of the documentation: a user's libvirtd cannot change
 * owners, and refuses it.
 */
export const diskXml = (file: string, target: string): string =>
  `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${file}'/>` +
  `<target dev='${target}' bus='virtio'/><readonly/></disk>`;

/** Returns the XML of the channel; libvirt chooses the path of its socket if none is given. */
export const channelXml = (socket?: string): string =>
  `<channel type='unix'>${socket === undefined ? '' : `<source mode='bind' path='${socket}'/>`}` +
  `<target type='virtio' name='org.github.vhostmd.1'/></channel>`;

const sections = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text
      .replaceAll('\r', '')
      .split(`\n${MARK}`)
      .slice(1)
      .map((part) => {
        const end = part.indexOf('\n');
        return end < 0 ? [part, ''] : [part.slice(0, end), part.slice(end + 1)];
      }),
  );

/**
 * Starts a guest on the private libvirtd. QEMU emulates its CPU, because nested virtualization is not available
 * everywhere.
 */
export const startVirtualMachine = async (
  libvirtd: PrivateLibvirtd,
  { name, uuid = randomUUID(), devices = '', balloon = false, ready, script }: VirtualMachineOptions,
): Promise<VirtualMachine> => {
  const folder = sharedFolder();
  const kernel = findKernel();
  const image = path.join(folder, 'vmlinuz');
  copyFileSync(kernel.image, image);
  chmodSync(image, 0o644);
  const log = path.join(folder, 'console');
  const file = path.join(folder, 'domain.xml');
  writeFileSync(
    file,
    `<domain type='qemu'><name>${xmlEscape(name)}</name><uuid>${uuid}</uuid>
      <memory unit='MiB'>160</memory><vcpu>1</vcpu>
      <os><type arch='x86_64' machine='pc'>hvm</type><kernel>${image}</kernel>
        <initrd>${makeInitramfs(kernel, script, folder)}</initrd>
        <cmdline>console=ttyS0 quiet loglevel=1 panic=-1</cmdline></os>
      <features><acpi/></features><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>
      <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
        <memballoon model='${balloon ? 'virtio' : 'none'}'/>${devices}
        <serial type='file'><source path='${log}'/><target port='0'/></serial></devices></domain>`,
  );
  await libvirtd.virsh('define', file);
  await ready?.();
  await libvirtd.virsh('start', uuid);
  const pid = libvirtd.qemuPid(uuid);
  const output = (): string => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  const reached = async (section: string, timeout = 60_000): Promise<void> => {
    const found = (): boolean => sections(output()).has(section);
    // A guest that has ended begins no further section.
    await until('', () => found() || !alive(pid), timeout).catch(() => undefined);
    if (!found())
      throw new Error(
        `guest ${name} has ${alive(pid) ? 'not come' : 'ended before it came'} to ${section}:\n${output()}`,
      );
  };
  const forget = async (): Promise<void> => {
    await libvirtd.virsh('undefine', uuid);
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    name,
    uuid,
    printed: () => sections(output()),
    reached,
    ended: async (timeout) => {
      await reached(END, timeout);
      await until(`guest ${name} has ended`, () => !alive(pid));
      const result = sections(output());
      await forget();
      return result;
    },
    destroy: async () => {
      await libvirtd.destroy(uuid);
      await forget();
    },
  };
};
