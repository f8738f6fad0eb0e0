import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { type PrivateLibvirtd, xmlEscape } from '../support/libvirtd.ts';

const code = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

/** Machine code of a boot sector: an endless loop, a processor that halts, or the BIOS reads a sector again and again. */
export const BOOT = {
  busy: code('ebfe'),
  idle: code('fa f4 ebfd'),
  // DS = ES = SS = 0, SP = 7C00h; AX = 0201h (one sector), BX = 7E00h (to), CX = 1 (first), DX = 80h; INT 13h; again.
  reading: code('31c0 8ed8 8ec0 8ed0 bc007c b80102 bb007e b90100 ba8000 cd13 ebf0'),
} as const;

/**
 * Starts a VM of one CPU with such a boot sector; returns its UUID. `disk`: more elements of its disk; `sourceOf`: the
 * element `<source>` of a network disk that has the contents of the image.
 */
export const startMachine = async (
  { libvirtd, folder }: { readonly libvirtd: PrivateLibvirtd; readonly folder: string },
  name = 'busy',
  boot: keyof typeof BOOT = 'busy',
  {
    disk: more = '',
    sourceOf,
  }: {
    readonly disk?: string;
    readonly sourceOf?: (image: string) => Promise<string>;
  } = {},
): Promise<string> => {
  // QEMU runs as another user.
  chmodSync(folder, 0o755);
  const uuid = randomUUID();
  const disk = path.join(folder, `${uuid}.raw`);
  const image = Buffer.alloc(2 ** 20);
  image.set(BOOT[boot]);
  // The signature of a boot sector.
  image.set([0x55, 0xaa], 510);
  writeFileSync(disk, image, { mode: 0o644 });
  const source = (await sourceOf?.(disk)) ?? `<source file='${disk}'/>`;
  const file = path.join(folder, `${uuid}.xml`);
  writeFileSync(
    file,
    `<domain type='qemu'><name>${xmlEscape(name)}</name><uuid>${uuid}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>` +
      `<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>` +
      `<disk type='${sourceOf === undefined ? 'file' : 'network'}' device='disk'><driver name='qemu' type='raw'/>${source}` +
      `<target dev='vda' bus='virtio'/><readonly/>${more}</disk></devices></domain>`,
    { mode: 0o644 },
  );
  await libvirtd.virsh('create', file);
  return uuid;
};

/** Returns the threads of a process, with the time that each has waited for a CPU, in ns. */
export const threadsOf = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).map((tid) => {
    const read = (file: string): string => readFileSync(`/proc/${pid}/task/${tid}/${file}`, 'latin1');
    return { tid, comm: read('comm').trim(), delay: Number(read('schedstat').split(' ')[1]) };
  });

/**
 * Makes a control group as libvirt does without systemd. `quota`: microseconds of each tenth of a second for the CPU of
 * the VM. Returns the steps that remove it, to be done in reverse once the process has ended.
 */
export const makeGroup = (id: number, pid: number, quota: number | undefined): readonly (() => void)[] => {
  const undo: (() => void)[] = [];
  const vcpu = threadsOf(pid).find(({ comm }) => comm.startsWith('CPU '));
  const make = (folder: string): void => {
    if (existsSync(folder)) return;
    mkdirSync(folder, { recursive: true });
    undo.push(() => rmdirSync(folder));
  };
  // Other tests use it at the same time, and the last one removes it.
  const makeShared = (folder: string): void => {
    mkdirSync(folder, { recursive: true });
    undo.push(() => {
      try {
        rmdirSync(folder);
      } catch {
        // Another test has a group in it.
      }
    });
  };
  const name = `qemu-${id}-busy.libvirt-qemu`;
  const cpu = '/sys/fs/cgroup/cpu';
  const unified = existsSync('/sys/fs/cgroup/unified') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';
  for (const top of existsSync(cpu) ? [cpu, unified] : [unified]) {
    makeShared(`${top}/machine`);
    make(`${top}/machine/${name}`);
    writeFileSync(`${top}/machine/${name}/cgroup.procs`, String(pid));
  }
  if (quota === undefined) return undo;
  if (!existsSync(cpu)) {
    for (const folder of [unified, `${unified}/machine`]) writeFileSync(`${folder}/cgroup.subtree_control`, '+cpu');
    writeFileSync(`${unified}/machine/${name}/cpu.max`, `${quota} 100000`);
    return undo;
  }
  const folder = `${cpu}/machine/${name}/vcpu0`;
  make(folder);
  writeFileSync(`${folder}/cpu.cfs_quota_us`, String(quota));
  writeFileSync(`${folder}/tasks`, vcpu?.tid ?? '');
  return undo;
};

/** Does the steps of `makeGroup`; the kernel may still be ending the group's processes. */
export const removeGroup = async (undo: readonly (() => void)[]): Promise<void> => {
  for (const step of undo.toReversed()) {
    for (let tries = 0; tries < 100; tries += 1) {
      try {
        step();
        break;
      } catch {
        await sleep(50);
      }
    }
  }
};
