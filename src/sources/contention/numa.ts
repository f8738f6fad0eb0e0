import { readdirSync, readFileSync } from 'node:fs';

import { cpusIn } from '../promise/promises.ts';

/** CPUs of each NUMA node of the host, by the node's number; none of a node that has memory only. */
export type Nodes = ReadonlyMap<number, ReadonlySet<number>>;

/** Reads the nodes of a `/sys/devices/system/node`. @throws Error if it cannot be read. */
export const nodesIn = (folder: string): Nodes =>
  new Map(
    readdirSync(folder).flatMap((name) => {
      const number = /^node(\d+)$/.exec(name)?.[1];
      return number === undefined
        ? []
        : [[Number(number), cpusIn(readFileSync(`${folder}/${name}/cpulist`, 'latin1'))] as const];
    }),
  );

// cgroup-v2.rst: a line for each kind, in bytes; cgroup-v1/memory.rst: a line for all kinds, in pages.
const LINES = [/^hierarchical_total=\d+ (.*)$/m, /^total=\d+ (.*)$/m] as const;

/** Reads the memory on each node from a memory.numa_stat, in bytes or pages. */
export const memoryByNode = (text: string): ReadonlyMap<number, number> => {
  const all = LINES.map((line) => line.exec(text)?.[1]).find((found) => found !== undefined);
  const lines = all === undefined ? [...text.matchAll(/^(?:anon|file) (.*)$/gm)].map(([, line = '']) => line) : [all];
  const sums = new Map<number, number>();
  for (const line of lines)
    for (const [, node, size] of line.matchAll(/N(\d+)=(\d+)/g))
      sums.set(Number(node), (sums.get(Number(node)) ?? 0) + Number(size));
  return sums;
};

const VCPU = /^(?:CPU \d+|ALL CPUs)\//;
// proc(5), /proc/PID/stat: field 39 is the CPU that it ran on last; the name, field 2, may be any text.
const PROCESSOR = 39 - 3;

interface VcpuThread {
  readonly allowed: ReadonlySet<number>;
  readonly last: number;
}

const vcpuThreads = (pid: string, proc: string): readonly VcpuThread[] =>
  readdirSync(`${proc}/${pid}/task`).flatMap((tid) => {
    const read = (file: string): string => readFileSync(`${proc}/${pid}/task/${tid}/${file}`, 'latin1');
    if (!VCPU.test(read('comm'))) return [];
    const stat = read('stat');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [
      {
        allowed: cpusIn(/^Cpus_allowed_list:\s*(.*)$/m.exec(read('status'))?.[1] ?? ''),
        last: Number(fields[PROCESSOR]),
      },
    ];
  });

// Virtual CPUs that may run everywhere are at home where they ran last.
const homesOf = (threads: readonly VcpuThread[], nodes: Nodes): ReadonlySet<number> => {
  const nodesOf = (cpus: Iterable<number>): ReadonlySet<number> => {
    const some = new Set(cpus);
    return new Set([...nodes].filter(([, own]) => [...own].some((cpu) => some.has(cpu))).map(([node]) => node));
  };
  const withCpus = [...nodes.values()].filter((cpus) => cpus.size > 0).length;
  const allowed = nodesOf(threads.flatMap((thread) => [...thread.allowed]));
  return allowed.size < withCpus ? allowed : nodesOf(threads.map(({ last }) => last));
};

/**
 * Returns the share of memory in percent that is on other NUMA nodes than those of the virtual CPUs, or the reason why
 * there is none. `numaStat`: text of the memory.numa_stat of the control group.
 *
 * @throws Error if a file cannot be read.
 */
export const remoteMemory = (numaStat: string, pid: string, proc: string, nodes: Nodes): number | string => {
  const memory = memoryByNode(numaStat);
  const homes = homesOf(vcpuThreads(pid, proc), nodes);
  const sum = (of: (node: number) => boolean): number =>
    [...memory].reduce((all, [node, size]) => (of(node) ? all + size : all), 0);
  const whole = sum(() => true);
  return homes.size === 0 || whole === 0 ? 'its memory is not known' : (100 * sum((node) => !homes.has(node))) / whole;
};
