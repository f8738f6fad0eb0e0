import type { CauseName } from '../../model/verdict.ts';
import type { Definition, Disk } from './definition.ts';
import { growthOf, numberOf, type Observation } from './observation.ts';

/** Who or what makes the VM slow, as far as the host can see it. Stable names: it is in the JSON. */
export type Offender =
  | {
      readonly kind: 'cpu';
      /** CPUs of the host, those that the VM used itself, and those used outside of VMs. */
      readonly hostCpus?: number;
      readonly own: number;
      readonly outside?: number;
      /** Other VMs, that with most CPU first. */
      readonly domains: readonly { readonly name: string; readonly uuid: string; readonly cpus: number }[];
    }
  /** Milliseconds, and requests per second. */
  | {
      readonly kind: 'disk';
      readonly disk: string;
      readonly source?: string;
      readonly ms: number;
      readonly rate: number;
    }
  /** `limit`: libvirt's name of it; `rate` and `most`: per second. */
  | {
      readonly kind: 'limit';
      readonly disk: string;
      readonly source?: string;
      readonly limit: string;
      readonly rate: number;
      readonly most: number;
    }
  | { readonly kind: 'interface'; readonly interface: string; readonly packets: number; readonly drops: number }
  | { readonly kind: 'job'; readonly job: string; readonly progress?: number }
  /** KiB. */
  | { readonly kind: 'memory'; readonly swapped?: number; readonly limit?: number; readonly refaults?: number }
  /** CPUs that the quotas leave to it; periods of the quota, and those in which it stopped the VM. */
  | { readonly kind: 'quota'; readonly cpus?: number; readonly periods?: number; readonly throttled?: number }
  | { readonly kind: 'pause'; readonly reason?: string; readonly paused: boolean };

/** Most neighbours that are named. */
const MOST = 3;
// CPUs: less is no load.
const SOME = 0.02;
// virDomainState: paused.
const PAUSED = 3;

const known = <T extends Readonly<Record<string, unknown>>>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof T]?: Exclude<T[K], undefined>;
  };

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

const cpuOf = ({ domain, host, cpu, verdict: { seconds } }: Observation): Offender => {
  const uses = cpu.map((one) => ({ domain: one.domain, cpus: one.used / 1e9 / seconds }));
  const own = uses.find((one) => one.domain.uuid === domain.uuid)?.cpus ?? 0;
  const used = growthOf(host, 'host.cpu.time');
  const inVms = sum(uses.map(({ cpus }) => cpus));
  const outside = used === undefined ? undefined : Math.max(0, used / seconds - inVms);
  const domains = uses
    .filter((one) => one.domain.uuid !== domain.uuid && one.cpus >= SOME)
    .toSorted((one, other) => other.cpus - one.cpus)
    .slice(0, MOST)
    .map(({ domain: { name, uuid }, cpus }) => ({ name, uuid, cpus }));
  return { kind: 'cpu', own, domains, ...known({ outside, hostCpus: numberOf(host.now, 'host.cpus') }) };
};

interface DiskUse {
  readonly name: string;
  readonly disk: Disk | undefined;
  readonly grown: (field: string) => number;
}

const disksOf = (seen: Observation, { disks }: Definition): readonly DiskUse[] =>
  disks.flatMap((_disk, at) => {
    const name = seen.now.get(`block.${at}.name`);
    if (name === undefined) return [];
    const disk = disks.find((one) => one.name === name);
    return [{ name, disk, grown: (field: string) => growthOf(seen, `block.${at}.${field}`) ?? 0 }];
  });

const requestsOf = ({ grown }: DiskUse): number => sum(['rd', 'wr', 'fl'].map((way) => grown(`${way}.reqs`)));
const sourceOf = ({ disk }: DiskUse) => known({ source: disk?.source });

// The one with the greatest number; undefined if there is none.
const greatest = <T>(all: readonly T[], numberIn: (one: T) => number): T | undefined =>
  all.toSorted((one, other) => numberIn(other) - numberIn(one))[0];

const diskOf = (seen: Observation, definition: Definition): Offender | undefined => {
  const slow = disksOf(seen, definition)
    .filter((use) => requestsOf(use) > 0)
    .map((use) => ({
      use,
      ms: sum(['rd', 'wr', 'fl'].map((way) => use.grown(`${way}.times`))) / requestsOf(use) / 1e6,
    }));
  const slowest = greatest(slow, ({ ms }) => ms);
  if (slowest === undefined) return undefined;
  const { use, ms } = slowest;
  return { kind: 'disk', disk: use.name, ...sourceOf(use), ms, rate: requestsOf(use) / seen.verdict.seconds };
};

// The work that each kind of limit is about.
const WORK = {
  bytes: { total: ['rd.bytes', 'wr.bytes'], read: ['rd.bytes'], write: ['wr.bytes'] },
  iops: { total: ['rd.reqs', 'wr.reqs'], read: ['rd.reqs'], write: ['wr.reqs'] },
} as const;

const limitOf = (seen: Observation, definition: Definition): Offender | undefined => {
  const disks = disksOf(seen, definition);
  const uses = disks.flatMap((use) => {
    const { disk } = use;
    if (disk === undefined) return [];
    // Disks of a group share its limits.
    const group = disks.filter((one) => one === use || (disk.group !== undefined && one.disk?.group === disk.group));
    return (['bytes', 'iops'] as const).flatMap((what) =>
      (['total', 'read', 'write'] as const).flatMap((way) => {
        const most = disk[what][way];
        const done = sum(group.flatMap(({ grown }) => WORK[what][way].map(grown)));
        return most === 0 ? [] : [{ use, limit: `${way}_${what}_sec`, most, rate: done / seen.verdict.seconds }];
      }),
    );
  });
  const reached = greatest(uses, ({ rate, most }) => rate / most);
  if (reached === undefined) return undefined;
  const { use, limit, most, rate } = reached;
  return { kind: 'limit', disk: use.name, ...sourceOf(use), limit, rate, most };
};

const interfaceOf = (seen: Observation, { interfaces }: Definition): Offender | undefined => {
  const all = Array.from({ length: interfaces }, (_, at) => {
    const grown = (fields: readonly string[]): number =>
      sum(fields.map((field) => growthOf(seen, `net.${at}.${field}`) ?? 0));
    const drops = grown(['rx.drop', 'tx.drop']);
    return { name: seen.now.get(`net.${at}.name`), drops, packets: drops + grown(['rx.pkts', 'tx.pkts']) };
  });
  const worst = greatest(all, ({ drops }) => drops);
  return worst?.name === undefined
    ? undefined
    : { kind: 'interface', interface: worst.name, packets: worst.packets, drops: worst.drops };
};

const FINDERS: Readonly<Record<CauseName, (seen: Observation, definition: Definition) => Offender | undefined>> = {
  neighbours: cpuOf,
  storage: diskOf,
  'io-limit': limitOf,
  network: interfaceOf,
  quota: (seen, { cpus }) => ({
    kind: 'quota',
    ...known({
      cpus: cpus !== undefined && cpus < (numberOf(seen.now, 'vcpu.current') ?? 0) ? cpus : undefined,
      periods: growthOf(seen, 'contention.quota.periods'),
      throttled: growthOf(seen, 'contention.quota.throttled'),
    }),
  }),
  memory: (seen, { memoryLimit }) => ({
    kind: 'memory',
    ...known({
      swapped: numberOf(seen.now, 'contention.memory.swapped'),
      limit: memoryLimit,
      refaults: growthOf(seen, 'contention.memory.refaults'),
    }),
  }),
  job: ({ now }) => {
    const job = now.get('activity.job');
    return job === undefined
      ? undefined
      : { kind: 'job', job, ...(job === 'none' ? {} : known({ progress: numberOf(now, 'activity.job.progress') })) };
  },
  paused: ({ now }) => ({
    kind: 'pause',
    paused: numberOf(now, 'state.state') === PAUSED,
    ...known({ reason: now.get('activity.paused.reason') }),
  }),
};

/** Returns who or what is behind a cause; undefined if nothing of it is known. */
export const offenderOf = (cause: CauseName, seen: Observation, definition: Definition): Offender | undefined =>
  FINDERS[cause](seen, definition);
