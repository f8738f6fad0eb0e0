import { readdirSync, readFileSync } from 'node:fs';

import type { DescriptorLots } from './descriptor-lots.ts';
import { folderCount } from './folder-count.ts';
import { type KernelFile, openKernelFile } from './kernel-file.ts';

/** Sums since the first reading, with what the threads had waited before; in ns. They only grow. */
export interface ThreadDelays {
  readonly vcpus: number;
  readonly others: number;
}

interface Thread {
  readonly file: KernelFile;
  readonly isVcpu: boolean;
  text: string;
  last: number;
}

// QEMU names its threads, a guest cannot: `CPU 0/KVM`, or one for all with TCG.
const VCPU = /^(?:CPU \d+|ALL CPUs)\//;

// sched-stats.rst, /proc/PID/schedstat: time on the CPU, time waited for one, both in ns, number of turns.
const delayIn = (schedstat: string): number => Number(schedstat.split(' ', 2)[1]);

/** The time that the threads of a process were ready to run and waited for a CPU. */
export const threadDelays = (pid: string, proc: string, descriptors: DescriptorLots) => {
  const threads = new Map<string, Thread>();
  let sums: ThreadDelays = { vcpus: 0, others: 0 };
  const task = `${proc}/${pid}/task`;

  const forget = (tid: string): void => {
    threads.get(tid)?.file.close();
    threads.delete(tid);
  };
  const meet = (tid: string): void => {
    try {
      const isVcpu = VCPU.test(readFileSync(`${task}/${tid}/comm`, 'latin1'));
      threads.set(tid, { file: openKernelFile(`${task}/${tid}/schedstat`), isVcpu, text: '', last: 0 });
    } catch (error) {
      // The thread has ended since it was listed. If it was the only one, that is the reason.
      if (threads.size === 0) throw error;
    }
  };

  const read = (): ThreadDelays | undefined => {
    for (const [tid, thread] of threads) {
      const text = thread.file.read();
      if (text === undefined) {
        forget(tid);
        continue;
      }
      if (text === thread.text) continue;
      thread.text = text;
      const delay = delayIn(text);
      const grown = Math.max(0, delay - thread.last);
      thread.last = delay;
      if (grown === 0) continue;
      sums = thread.isVcpu
        ? { vcpus: sums.vcpus + grown, others: sums.others }
        : { vcpus: sums.vcpus, others: sums.others + grown };
    }
    return threads.size === 0 ? undefined : sums;
  };

  return {
    /** Looks for new threads. Throws if none can be read. */
    list: (): void => {
      // Those that have ended do not count, so another in the place of one is seen.
      read();
      if (threads.size > 0 && threads.size === folderCount(task)) return;
      const now = new Set(readdirSync(task));
      for (const tid of threads.keys()) if (!now.has(tid)) forget(tid);
      const met = [...now].filter((tid) => !threads.has(tid));
      descriptors.take(met.length);
      met.forEach(meet);
    },
    /** Returns the sums, the same object while they are the same; undefined if the process has ended. */
    read,
    close: (): void => {
      for (const tid of threads.keys()) forget(tid);
    },
  };
};
