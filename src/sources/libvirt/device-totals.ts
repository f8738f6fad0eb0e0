import type { SchedulerLike } from 'rxjs';

import { type DiskWork, limitUse } from '../promise/limit-use.ts';
import type { DiskLimits } from '../promise/promises.ts';
import type { StatValue } from './typed-params.ts';

type Fields = ReadonlyMap<string, StatValue>;

/** Figures of one device that only grow. */
type Counters = Readonly<Record<string, number>>;

/** A kind of device: libvirt's group, and which of its fields make one figure. */
interface Kind {
  readonly group: 'block' | 'net';
  readonly figures: Readonly<Record<string, readonly string[]>>;
}

const BLOCK: Kind = {
  group: 'block',
  figures: {
    'rd.times': ['rd.times'],
    'rd.reqs': ['rd.reqs'],
    'wr.times': ['wr.times'],
    'wr.reqs': ['wr.reqs'],
    'fl.times': ['fl.times'],
    'fl.reqs': ['fl.reqs'],
    'rd.bytes': ['rd.bytes'],
    'wr.bytes': ['wr.bytes'],
  },
};
const NET: Kind = {
  group: 'net',
  figures: {
    packets: ['rx.pkts', 'tx.pkts', 'rx.drop', 'tx.drop'],
    drops: ['rx.drop', 'tx.drop'],
  },
};

const numberOf = (value: StatValue | undefined): number => (typeof value === 'string' ? 0 : Number(value ?? 0));

// By name: libvirt numbers devices by position, so a number means another device after one before it is detached.
const devicesOf = (fields: Fields, { group, figures }: Kind): ReadonlyMap<string, Counters> =>
  new Map(
    Array.from({ length: numberOf(fields.get(`${group}.count`)) }, (_, at) => [
      String(fields.get(`${group}.${at}.name`) ?? at),
      Object.fromEntries(
        Object.entries(figures).map(([name, parts]) => [
          name,
          parts.reduce((sum, part) => sum + numberOf(fields.get(`${group}.${at}.${part}`)), 0),
        ]),
      ),
    ]),
  );

/** Sums over the devices of one run of a domain. They only grow, also when a device is detached or replaced. */
interface Totals {
  readonly devices: ReadonlyMap<string, Counters>;
  readonly sums: Counters;
  /** Milliseconds of the monotonic clock. */
  readonly at: number;
}

// A device that counts from 0 again has been replaced.
const grown = (last: number | undefined, now: number): number => (last === undefined || now < last ? now : now - last);

const totalsAfter = (
  before: Totals | undefined,
  devices: ReadonlyMap<string, Counters>,
  { figures }: Kind,
  at: number,
): Totals => {
  const sumOf = (name: string): number =>
    [...devices].reduce(
      (sum, [device, counters]) => sum + grown(before?.devices.get(device)?.[name], counters[name] ?? 0),
      before?.sums[name] ?? 0,
    );
  return { devices, sums: Object.fromEntries(Object.keys(figures).map((name) => [name, sumOf(name)])), at };
};

const latency = (before: Counters | undefined, now: Counters, way: string): number => {
  if (before === undefined) return 0;
  const requests = (now[`${way}.reqs`] ?? 0) - (before[`${way}.reqs`] ?? 0);
  const time = (now[`${way}.times`] ?? 0) - (before[`${way}.times`] ?? 0);
  return requests <= 0 ? 0 : Math.round(time / requests);
};

const WAYS = ['rd', 'wr', 'fl'];

const workOf = (before: Totals, now: Totals): readonly DiskWork[] =>
  [...now.devices].map(([name, counters]) => {
    const did = (what: string): number => grown(before.devices.get(name)?.[what], counters[what] ?? 0);
    return {
      name,
      reads: did('rd.reqs'),
      writes: did('wr.reqs'),
      bytesRead: did('rd.bytes'),
      bytesWritten: did('wr.bytes'),
    };
  });

type Entry = readonly [name: string, value: number];

const blockFields = (before: Totals | undefined, now: Totals, limits: readonly DiskLimits[]): readonly Entry[] => {
  const all = (what: string): number => WAYS.reduce((sum, way) => sum + (now.sums[`${way}.${what}`] ?? 0), 0);
  const use = before === undefined ? 0 : limitUse(limits, workOf(before, now), (now.at - before.at) / 1000);
  return [
    ['contention.block.time', all('times')],
    ['contention.block.requests', all('reqs')],
    ['contention.block.limit', use],
    ...WAYS.map((way): Entry => [`contention.block.${way}.latency`, latency(before?.sums, now.sums, way)]),
  ];
};

const netFields = (_before: Totals | undefined, { sums }: Totals): readonly Entry[] => [
  ['contention.net.packets', sums['packets'] ?? 0],
  ['contention.net.drops', sums['drops'] ?? 0],
];

/** Returns libvirt's group of statistics that a statistic is made of; undefined for one that libvirt has itself. */
export const groupBehind = (stat: string): Kind['group'] | undefined => {
  if (stat.startsWith('contention.block.')) return 'block';
  return stat.startsWith('contention.net.') ? 'net' : undefined;
};

/**
 * Makes a function that returns an answer's fields with the statistics that are made of those of all its devices.
 * `run`: an object that lives as long as the run of the domain. `limits`: those of its disks.
 */
export const deviceTotals = (
  scheduler: SchedulerLike,
): ((run: object, fields: Fields, limits?: readonly DiskLimits[]) => Fields) => {
  const known = new WeakMap<object, Map<Kind, Totals>>();
  return (run, fields, limits = []) => {
    const totals = known.get(run) ?? new Map<Kind, Totals>();
    known.set(run, totals);
    const added = (
      [
        [BLOCK, blockFields],
        [NET, netFields],
      ] as const
    ).flatMap(([kind, fieldsOf]) => {
      if (!fields.has(`${kind.group}.count`)) return [];
      const before = totals.get(kind);
      const now = totalsAfter(before, devicesOf(fields, kind), kind, scheduler.now());
      totals.set(kind, now);
      return fieldsOf(before, now, limits);
    });
    return added.length === 0 ? fields : new Map<string, StatValue>([...fields, ...added]);
  };
};
