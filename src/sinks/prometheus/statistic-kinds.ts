import type { Context } from '../../model/metric.ts';

/** What a statistic is: a counter never falls but when it starts anew; `unit` is that of the statistic itself. */
export interface StatisticKind {
  readonly type: 'counter' | 'gauge' | 'untyped';
  /** As in a `unit` attribute. */
  readonly unit?: string;
  readonly steady?: Steady;
}

/**
 * How a counter is kept from falling: `hold` shows the greatest value until it is passed again, `carry` adds what a
 * sum had of devices that are detached.
 */
export type Steady = 'hold' | 'carry';

type Rule = readonly [pattern: RegExp, kind: StatisticKind];

const counter = (unit?: string): StatisticKind => ({ type: 'counter', ...(unit === undefined ? {} : { unit }) });
const gauge = (unit?: string): StatisticKind => ({ type: 'gauge', ...(unit === undefined ? {} : { unit }) });

// By the statistic's name behind `host.`; the first that fits counts.
const HOST: readonly Rule[] = [
  [/^(time|uptime)$/, gauge('s')],
  [/^(memory\..*|swap\.(total|used|free)|virtual\..*)$/, gauge('KiB')],
  [/^(swap|paging)\.(in|out)$/, counter('KiB')],
  [/^paging\.(in|out)\.rate$/, gauge('KiB/s')],
  [/^paging\.faults\.rate$/, gauge('/s')],
  [/^cpu\./, counter('s')],
  [/^pressure\..*\.avg\d+$/, gauge('%')],
  [/^pressure\..*\.total$/, counter('s')],
  [/./, gauge()],
];

const VM: readonly Rule[] = [
  [/^cpu\.cache\..*\.bytes$/, gauge('B')],
  [/^cpu\.(time|user|system|haltpoll\..*)$/, counter('ns')],
  [/^vcpu\.[^.]+\.(time|wait|delay)$/, counter('ns')],
  [/^balloon\.swap_(in|out)$/, counter('KiB')],
  [/^balloon\.(major_fault|minor_fault|hugetlb_.*)$/, counter()],
  [/^balloon\.last-update$/, gauge('s')],
  [/^balloon\./, gauge('KiB')],
  [/^(vcpu\.[^.]+|vm)\..*\.sum$/, counter()],
  [/^net\.[^.]+\.[rt]x\.bytes$/, counter('B')],
  [/^net\.[^.]+\.[rt]x\./, counter()],
  [/^block\.[^.]+\.(rd|wr)\.bytes$/, counter('B')],
  [/^block\.[^.]+\.(rd|wr|fl)\.times$/, counter('ns')],
  [/^block\.[^.]+\.((rd|wr|fl)\.reqs|errors)$/, counter()],
  [/^block\.[^.]+\.(allocation|capacity|physical|threshold)$/, gauge('B')],
  [/^block\.[^.]+\.limits\.(?!iov)/, gauge('B')],
  [/^block\..*(_latency_(min|max|avg)|\.start)$/, gauge('ns')],
  [/^block\..*\.interval_length$/, gauge('s')],
  [/^block\.[^.]+\.latency_histogram\..*\.value$/, counter()],
  [/^iothread\.[^.]+\.poll-max-ns$/, gauge('ns')],
  [/^memory\.bandwidth\..*\.bytes\./, counter('B')],
  [/^dirtyrate\.calc_(start_time|period)$/, gauge('s')],
  [/^dirtyrate\.(.*\.)?megabytes_per_second$/, gauge('MiB/s')],
  // Some events count, others are a level.
  [/^perf\./, { type: 'untyped' }],
  [/./, gauge()],
];

// libvirt numbers these by their position, so a number is another device when one before it is detached.
const POSITION = /^(net|block)\.\d+\./;

const steadied = (context: Context, name: string, kind: StatisticKind): StatisticKind => {
  if (kind.type !== 'counter') return kind;
  // proc(5): iowait may fall, and so may others of /proc/stat and /proc/vmstat where processors come and go.
  if (context === 'host') return { ...kind, steady: 'hold' };
  if (name.includes('*')) return { ...kind, steady: 'carry' };
  return POSITION.test(name) ? { ...kind, type: 'gauge' } : kind;
};

/** What is known of a statistic by its name, as `<stat>` takes it. */
export const statisticKind = (context: Context, name: string): StatisticKind => {
  const [rules, key] = context === 'host' ? [HOST, name.replace(/^host\./, '')] : [VM, name];
  return steadied(context, name, rules.find(([pattern]) => pattern.test(key))?.[1] ?? gauge());
};
