import { readdirSync, readFileSync } from 'node:fs';

import { type KernelFile, openKernelFile } from './kernel-file.ts';

/** Sums since the first reading, with what the threads had waited before; in ns. They only grow. */
export interface ThreadDelays {
  readonly vcpus: number;
  readonly others: number;
}

interface Thread {
  readonly file: KernelFile;
  readonly isVcpu: boolean;
  last: number;
}

// QEMU names its threads, a guest cannot: `CPU 0/KVM`, or one for all with TCG.
const VCPU = /^(?:CPU \d+|ALL CPUs)\//;

// sched-stats.rst, /proc/PID/schedstat: time on the CPU, time waited for one, both in ns, number of turns.
const delayIn = (schedstat: string): number => Number(schedstat.split(' ', 2)[1]);

/** The time that the threads of a process were ready to run and waited for a CPU. */
export const threadDelays = (pid: string, proc: string) => {
  const threads = new Map<string, Thread>();
  const sums = { vcpus: 0, others: 0 };
  const task = `${proc}/${pid}/task`;

  const forget = (tid: string): void => {
    threads.get(tid)?.file.close();
    threads.delete(tid);
  };
  const meet = (tid: string): void => {
    try {
      const isVcpu = VCPU.test(readFileSync(`${task}/${tid}/comm`, 'latin1'));
      threads.set(tid, { file: openKernelFile(`${task}/${tid}/schedstat`), isVcpu, last: 0 });
    } catch (error) {
      // The thread has ended since it was listed. If it was the only one, that is the reason.
      if (threads.size === 0) throw error;
    }
  };

  return {
    /** Looks for new threads. Throws if none can be read. */
    list: (): void => {
      const now = new Set(readdirSync(task));
      for (const tid of threads.keys()) if (!now.has(tid)) forget(tid);
      for (const tid of now) if (!threads.has(tid)) meet(tid);
    },
    /** Returns the sums; undefined if the process has ended. */
    read: (): ThreadDelays | undefined => {
      for (const [tid, thread] of threads) {
        const text = thread.file.read();
        if (text === undefined) {
          forget(tid);
          continue;
        }
        const delay = delayIn(text);
        sums[thread.isVcpu ? 'vcpus' : 'others'] += Math.max(0, delay - thread.last);
        thread.last = delay;
      }
      return threads.size === 0 ? undefined : { ...sums };
    },
    close: (): void => {
      for (const tid of threads.keys()) forget(tid);
    },
  };
};
