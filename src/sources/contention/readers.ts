import type { ContentionStatistic } from '../../model/statistics.ts';
import type { GroupFile } from './group-files.ts';
import type { ThreadDelays } from './thread-delays.ts';

/** Where a statistic is read, and how. A reader gives undefined for what the files do not have. */
export type Reader =
  | { readonly from: 'clock'; readonly read: (ns: number) => number }
  | { readonly from: 'numa'; readonly read: (share: number) => number }
  | { readonly from: 'threads'; readonly read: (delays: ThreadDelays) => number }
  | { readonly from: GroupFile | 'status'; readonly read: (texts: readonly string[]) => number | undefined };

/** How a number is written: the start of its line, the text before it there, and the factor to the statistic's unit. */
type Form = readonly [line: string, before: string, factor: number];

// Without patterns, which take five times as long.
const numberIn = (text: string, line: string, before: string): number | undefined => {
  const start = text.startsWith(line) ? 0 : text.indexOf(`\n${line}`) + 1;
  if (start === 0 && !text.startsWith(line)) return undefined;
  const at = text.indexOf(before, start + line.length);
  const end = text.indexOf('\n', start + line.length);
  if (at < 0 || (end >= 0 && at > end)) return undefined;
  const number = Number.parseFloat(text.slice(at + before.length, at + before.length + 24));
  return Number.isNaN(number) ? undefined : number;
};

const sumOf = (texts: readonly string[], [line, before, factor]: Form): number | undefined => {
  let sum: number | undefined;
  for (const text of texts) {
    const number = numberIn(text, line, before);
    if (number !== undefined) sum = (sum ?? 0) + number * factor;
  }
  return sum;
};

// The sum of the first forms that the files have: names differ between the versions of control groups.
const lines = (from: GroupFile | 'status', ...alternatives: readonly (readonly Form[])[]): Reader => ({
  from,
  read: (texts) => {
    for (const forms of alternatives) {
      const found = forms.map((form) => sumOf(texts, form)).filter((sum) => sum !== undefined);
      if (found.length > 0) return found.reduce((sum, one) => sum + one, 0);
    }
    return undefined;
  },
});

type Resource = 'cpu' | 'memory' | 'io';
type Pressure<Of extends Resource> = `contention.pressure.${Of}.${'some' | 'full'}.${'avg10' | 'total'}`;
const pressure = <Of extends Resource>(resource: Of) =>
  Object.fromEntries(
    (['some', 'full'] as const).flatMap((share) => [
      [`contention.pressure.${resource}.${share}.avg10`, lines(`${resource}.pressure`, [[`${share} `, 'avg10=', 1]])],
      [
        `contention.pressure.${resource}.${share}.total`,
        lines(`${resource}.pressure`, [[`${share} `, 'total=', 1e-6]]),
      ],
    ]),
  ) as Record<Pressure<Of>, Reader>;

/**
 * Formats: proc(5), and in the kernel's documentation cgroup-v2.rst, cgroup-v1/memory.rst, scheduler/sched-bwc.rst,
 * scheduler/sched-stats.rst and accounting/psi.rst.
 */
export const READERS: Readonly<Record<ContentionStatistic['name'], Reader>> = {
  'contention.time': { from: 'clock', read: (ns) => ns },
  'contention.cpu.delay': { from: 'threads', read: ({ vcpus }) => vcpus },
  'contention.cpu.delay.other': { from: 'threads', read: ({ others }) => others },
  'contention.memory.swapped': lines('status', [['VmSwap:', '', 1]]),
  'contention.quota.periods': lines('cpu.stat', [['nr_periods ', '', 1]]),
  'contention.quota.throttled': lines('cpu.stat', [['nr_throttled ', '', 1]]),
  'contention.quota.time': lines('cpu.stat', [['throttled_usec ', '', 1000]], [['throttled_time ', '', 1]]),
  // A total of version 1 includes the groups below, as all figures of version 2 do.
  'contention.memory.refaults': lines(
    'memory.stat',
    ...['total_', ''].flatMap((total): readonly (readonly Form[])[] => [
      [
        [`${total}workingset_refault_anon `, '', 1],
        [`${total}workingset_refault_file `, '', 1],
      ],
      [[`${total}workingset_refault `, '', 1]],
    ]),
  ),
  'contention.memory.huge': lines('memory.stat', [['total_rss_huge ', '', 1 / 1024]], [['anon_thp ', '', 1 / 1024]]),
  'contention.memory.remote': { from: 'numa', read: (share) => share },
  'contention.memory.high': lines('memory.events', [['high ', '', 1]]),
  // Version 1 has a file of one number.
  'contention.memory.max': lines('memory.events', [['max ', '', 1]], [['', '', 1]]),
  'contention.memory.oom': lines('memory.events', [['oom_kill ', '', 1]]),
  ...pressure('cpu'),
  ...pressure('memory'),
  ...pressure('io'),
};
