import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { CauseName } from '../../src/model/verdict.ts';
import type { Work } from './guest.ts';
import type { Machine } from './machine.ts';

/** A way to make the VM slow, or to leave it alone. */
export interface Injection {
  /** The right first cause. */
  readonly cause: CauseName | 'none';
  readonly how: string;
  readonly work: Work;
  /** Begins it; resolves to what ends it. */
  readonly begin: (machine: Machine) => Promise<() => Promise<void> | void>;
}

const NO_END = (): void => undefined;
const nothing = async (): Promise<() => void> => await Promise.resolve(NO_END);

const quiet = (how: string, work: Work): Injection => ({ cause: 'none', how, work, begin: nothing });

const quota = async ({ groups }: Machine, percent: number): Promise<() => void> => {
  groups.quota(percent);
  return await Promise.resolve(() => groups.quota(undefined));
};

const busyLoops = async ({ groups }: Machine, count: number): Promise<() => void> => {
  const loops = Array.from({ length: count }, () => spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
  for (const { pid } of loops) if (pid !== undefined) groups.neighbour(pid);
  return await Promise.resolve(() => loops.forEach((loop) => loop.kill('SIGKILL')));
};

const flood = async ({ address }: Machine): Promise<() => void> => {
  const socket = createSocket('udp4');
  const packet = Buffer.alloc(64);
  // 2,000 packets per second, of which the queue of the tap holds 1,000 in all.
  const timer = setInterval(() => {
    for (let count = 0; count < 20; count += 1) socket.send(packet, 9, address, () => undefined);
  }, 10);
  return await Promise.resolve(() => {
    clearInterval(timer);
    socket.close();
  });
};

// Stands still for a third of the time.
const suspend = async ({ libvirtd, uuid }: Machine): Promise<() => Promise<void>> => {
  const end = new AbortController();
  const pausing = (async () => {
    while (!end.signal.aborted) {
      await libvirtd.virsh('suspend', uuid);
      await sleep(1000);
      await libvirtd.virsh('resume', uuid);
      await sleep(2000);
    }
  })();
  return await Promise.resolve(async () => {
    end.abort();
    await pausing;
  });
};

const iotune = async ({ libvirtd, uuid }: Machine, iops: number): Promise<() => Promise<void>> => {
  const set = async (most: number): Promise<void> =>
    void (await libvirtd.virsh('blkdeviotune', uuid, 'vda', '--total-iops-sec', String(most), '--live'));
  await set(iops);
  return async () => await set(0);
};

const copy = async ({ libvirtd, uuid, folder }: Machine): Promise<() => Promise<void>> => {
  const target = path.join(folder, 'copy');
  writeFileSync(target, '');
  chmodSync(target, 0o666);
  const args = ['vda', target, '--transient-job', '--format', 'raw', '--bandwidth', '1'];
  await libvirtd.virsh('blockcopy', uuid, ...args);
  return async () => {
    await libvirtd.virsh('blockjob', uuid, 'vda', '--abort');
    rmSync(target, { force: true });
  };
};

const backup = async ({ libvirtd, uuid, folder }: Machine): Promise<() => Promise<void>> => {
  const target = path.join(folder, 'backup');
  const xml = path.join(folder, 'backup.xml');
  writeFileSync(
    xml,
    `<domainbackup><disks><disk name='vda' backup='no'/><disk name='vdb' backup='no'/>` +
      `<disk name='vdc' backup='no'/><disk name='vdd' type='file'><driver type='raw'/><target file='${target}'/></disk></disks></domainbackup>`,
  );
  await libvirtd.virsh('backup-begin', uuid, xml);
  return async () => {
    await libvirtd.virsh('domjobabort', uuid).catch(() => undefined);
    await sleep(500);
    rmSync(target, { force: true });
  };
};

const shortMemory = async ({ groups }: Machine): Promise<() => Promise<void>> => {
  await groups.memory(80);
  return async () => await groups.memory(undefined);
};

const slowReads = async ({ groups, device }: Machine): Promise<() => void> => {
  groups.reads(device, 20);
  return await Promise.resolve(() => groups.reads(device, undefined));
};

/** All ways, each with the right answer. Those with the same cause take turns. */
export const INJECTIONS: readonly Injection[] = [
  quiet('nothing, the guest idle', 'idle'),
  quiet('nothing, the guest computing', 'compute'),
  quiet('nothing, the guest reading a fast disk', 'disk'),
  quiet('nothing, the guest going through its memory', 'memory'),
  { cause: 'paused', how: '`virsh suspend` and `resume`, a third of the time', work: 'compute', begin: suspend },
  { cause: 'quota', how: 'quota of 30 % of a CPU', work: 'compute', begin: async (vm) => await quota(vm, 30) },
  { cause: 'quota', how: 'quota of 60 % of a CPU', work: 'compute', begin: async (vm) => await quota(vm, 60) },
  { cause: 'memory', how: 'less memory than it uses, so that the host swaps', work: 'memory', begin: shortMemory },
  { cause: 'job', how: '`virsh blockcopy` of 1 MiB/s', work: 'compute', begin: copy },
  { cause: 'job', how: '`virsh backup-begin` of a disk of 4 MB/s', work: 'idle', begin: backup },
  {
    cause: 'io-limit',
    how: '`virsh blkdeviotune` of 50 requests per second',
    work: 'disk',
    begin: async (vm) => await iotune(vm, 50),
  },
  {
    cause: 'neighbours',
    how: 'two busy loops for each CPU',
    work: 'compute',
    begin: async (vm) => await busyLoops(vm, 2 * cpus().length),
  },
  {
    cause: 'neighbours',
    how: 'one busy loop for each CPU',
    work: 'compute',
    begin: async (vm) => await busyLoops(vm, cpus().length),
  },
  { cause: 'storage', how: 'a network disk with a delay of 60 ms', work: 'slow disk', begin: nothing },
  { cause: 'storage', how: '`blkio.throttle` of 20 reads per second', work: 'disk', begin: slowReads },
  { cause: 'network', how: 'packets to an interface whose queue nobody reads', work: 'idle', begin: flood },
];
