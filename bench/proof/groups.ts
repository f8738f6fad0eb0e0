import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = '/sys/fs/cgroup';

/** The control groups of a VM, named as libvirt names them without systemd; a user's libvirtd makes none. */
export interface Groups {
  /** Sets a quota of its virtual CPU in percent of a CPU; undefined: none. */
  readonly quota: (percent: number | undefined) => void;
  /** Takes memory of its process away until it has so many MiB; undefined: no limit. */
  readonly memory: (mebibytes: number | undefined) => Promise<void>;
  /** Sets the most reads per second from a device (`254:0`); undefined: no limit. */
  readonly reads: (device: string, perSecond: number | undefined) => void;
  /** Puts a process into a group beside that of the VM, with the same weight, as if it were another VM. */
  readonly neighbour: (pid: number) => void;
  readonly remove: () => void;
}

/** Name of the group whose memory is limited; the process is in it from its start, because memory does not move. */
const MEMORY = `${ROOT}/memory/vhostmd-proof`;

/** Puts a process, and what it will start, into the group whose memory can be limited. */
export const enterMemoryGroup = (pid: number): void => {
  mkdirSync(MEMORY, { recursive: true });
  // A process that gets no memory at once waits, and is not killed.
  writeFileSync(`${MEMORY}/memory.oom_control`, '1');
  writeFileSync(`${MEMORY}/cgroup.procs`, String(pid));
};

/** Makes the groups of version 1, and that of version 2 for the pressure. */
export const makeGroups = (pid: number, id: number, name: string): Groups => {
  const made: string[] = [];
  const make = (folder: string): string => {
    if (!existsSync(folder)) {
      mkdirSync(folder);
      made.push(folder);
    }
    return folder;
  };
  const group = `qemu-${id}-${name}.libvirt-qemu`;
  const groupIn = (controller: string): string => {
    make(`${ROOT}/${controller}/machine`);
    const folder = make(`${ROOT}/${controller}/machine/${group}`);
    writeFileSync(`${folder}/cgroup.procs`, String(pid));
    return folder;
  };
  const [cpu, blkio] = ['cpu', 'blkio', 'unified'].map(groupIn);
  const vcpu = make(`${cpu}/vcpu0`);
  const thread = readdirSync(`/proc/${pid}/task`).find((tid) =>
    readFileSync(`/proc/${pid}/task/${tid}/comm`, 'latin1').startsWith('CPU '),
  );
  writeFileSync(`${vcpu}/tasks`, thread ?? '');
  return {
    quota: (percent) => writeFileSync(`${vcpu}/cpu.cfs_quota_us`, String(percent === undefined ? -1 : percent * 1000)),
    memory: async (mebibytes) => {
      const set = (bytes: number): void => writeFileSync(`${MEMORY}/memory.limit_in_bytes`, String(bytes));
      if (mebibytes === undefined) return set(-1);
      const used = (): number => Number(readFileSync(`${MEMORY}/memory.usage_in_bytes`, 'latin1'));
      const most = mebibytes * 2 ** 20;
      // In steps, because the kernel refuses a limit to which it cannot get at once.
      for (let tries = 0; tries < 100 && used() > most; tries += 1) {
        try {
          set(Math.max(most, used() - 8 * 2 ** 20));
        } catch {
          await sleep(50);
        }
      }
      return undefined;
    },
    reads: (device, perSecond) =>
      writeFileSync(`${blkio}/blkio.throttle.read_iops_device`, `${device} ${perSecond ?? 0}`),
    neighbour: (neighbour) =>
      writeFileSync(`${make(`${ROOT}/cpu/machine/neighbour-${neighbour}`)}/cgroup.procs`, String(neighbour)),
    // After the end of the processes.
    remove: () => {
      for (const folder of [...made.toReversed(), MEMORY]) rmdirSync(folder);
    },
  };
};
