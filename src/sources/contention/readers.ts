import type { ContentionStatistic } from '../../model/statistics.ts';
import { type GroupFile, sumOf } from './group-files.ts';
import type { ThreadDelays } from './thread-delays.ts';

/** Where a statistic is read, and how. A reader gives undefined for what the files do not have. */
export type Reader =
  | { readonly from: 'threads'; readonly read: (delays: ThreadDelays) => number }
  | { readonly from: GroupFile | 'status'; readonly read: (texts: readonly string[]) => number | undefined };

/** A line of a file, up to its number, and the factor to the unit of the statistic. */
type Form = readonly [line: RegExp, factor: number];

// The first form that the files have: names differ between the versions of control groups.
const lines = (from: GroupFile | 'status', ...forms: readonly Form[]): Reader => ({
  from,
  read: (texts) => {
    for (const [line, factor] of forms) {
      const sum = sumOf(texts, line);
      if (sum !== undefined) return sum * factor;
    }
    return undefined;
  },
});

type Resource = 'cpu' | 'memory' | 'io';
type Pressure<Of extends Resource> = `contention.pressure.${Of}.${'some' | 'full'}.${'avg10' | 'total'}`;
const pressure = <Of extends Resource>(resource: Of) =>
  Object.fromEntries(
    (['some', 'full'] as const).flatMap((share) => [
      [
        `contention.pressure.${resource}.${share}.avg10`,
        lines(`${resource}.pressure`, [new RegExp(String.raw`^${share} avg10=([\d.]+)`, 'gm'), 1]),
      ],
      [
        `contention.pressure.${resource}.${share}.total`,
        lines(`${resource}.pressure`, [new RegExp(String.raw`^${share} .*total=(\d+)`, 'gm'), 1e-6]),
      ],
    ]),
  ) as Record<Pressure<Of>, Reader>;

/**
 * Formats: proc(5), and in the kernel's documentation cgroup-v2.rst, cgroup-v1/memory.rst, scheduler/sched-bwc.rst,
 * scheduler/sched-stats.rst and accounting/psi.rst.
 */
export const READERS: Readonly<Record<ContentionStatistic['name'], Reader>> = {
  'contention.cpu.delay': { from: 'threads', read: ({ vcpus }) => vcpus },
  'contention.cpu.delay.other': { from: 'threads', read: ({ others }) => others },
  'contention.memory.swapped': lines('status', [/^VmSwap:\s+(\d+) kB$/gm, 1]),
  'contention.quota.periods': lines('cpu.stat', [/^nr_periods (\d+)$/gm, 1]),
  'contention.quota.throttled': lines('cpu.stat', [/^nr_throttled (\d+)$/gm, 1]),
  'contention.quota.time': lines('cpu.stat', [/^throttled_usec (\d+)$/gm, 1000], [/^throttled_time (\d+)$/gm, 1]),
  // A total of version 1 includes the groups below, as all figures of version 2 do.
  'contention.memory.refaults': lines(
    'memory.stat',
    [/^total_workingset_refault(?:_anon|_file)? (\d+)$/gm, 1],
    [/^workingset_refault(?:_anon|_file)? (\d+)$/gm, 1],
  ),
  'contention.memory.huge': lines(
    'memory.stat',
    [/^total_rss_huge (\d+)$/gm, 1 / 1024],
    [/^anon_thp (\d+)$/gm, 1 / 1024],
  ),
  'contention.memory.high': lines('memory.events', [/^high (\d+)$/gm, 1]),
  'contention.memory.max': lines('memory.events', [/^max (\d+)$/gm, 1], [/^(\d+)$/gm, 1]),
  'contention.memory.oom': lines('memory.events', [/^oom_kill (\d+)$/gm, 1]),
  ...pressure('cpu'),
  ...pressure('memory'),
  ...pressure('io'),
};
