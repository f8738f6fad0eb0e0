import { readdirSync, readFileSync } from 'node:fs';

// Clock ticks per second in /proc/PID/stat: USER_HZ, which is 100 on every Linux that Node runs on.
const MS_PER_CLOCK_TICK = 10;

/** CPU time of a process in ms, to 10 ms: its own, and that of the ended children that it has waited for. */
export interface Cpu {
  readonly own: number;
  readonly children: number;
}

/** Returns the CPU time from /proc/PID/stat; throws if the process has ended. */
export const cpuOf = (pid: number): Cpu => {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name may contain spaces and brackets; the field after it is number 3 in proc(5).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]) * MS_PER_CLOCK_TICK;
  return { own: field(14) + field(15), children: field(16) + field(17) };
};

/** Returns the CPU time of a process in ms, to the nanosecond: of all living threads, and of the main thread. */
export const threadsCpuOf = (pid: number): { readonly all: number; readonly main: number } => {
  const times = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [ns] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ');
    return { isMain: Number(thread) === pid, ms: Number(ns) / 1e6 };
  });
  const sum = (some: typeof times): number => some.reduce((total, { ms }) => total + ms, 0);
  return { all: sum(times), main: sum(times.filter(({ isMain }) => isMain)) };
};

/** Returns the resident memory of a process in MiB: anonymous, and all with the pages of mapped files. */
export const memoryOf = (pid: number): { readonly all: number; readonly anonymous: number } => {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  return { all: field('VmRSS'), anonymous: field('RssAnon') };
};

/** Returns the proportional set size of a process in MiB: a page that n processes have mapped counts 1/n. */
export const proportionalMemoryOf = (pid: number): number =>
  Number(/^Pss:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]) / 1024;
