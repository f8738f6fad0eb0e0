/**
 * A quantity that speaks for a cause, between two readings of a VM. Data instead of code, so that the daemon, the tool
 * in the guest and the documentation compute and say the same.
 */
export interface Evidence {
  readonly unit: '%' | 'ms';
  /** What it is, after its value: "12 % of the time ...". */
  readonly meaning: string;
  /** Statistics whose growth is added. */
  readonly plus: readonly string[];
  /** Statistics whose growth is taken away; one that is absent counts as 0. */
  readonly minus: readonly string[];
  /** Statistics whose growth it is a share of. */
  readonly of: readonly string[];
  /** Statistic whose current value multiplies what it is a share of. */
  readonly each: string | undefined;
  /** From the units of the statistics to that of the evidence. */
  readonly factor: number;
  /** Least growth of `of` for which it says something. */
  readonly enough: number;
}

const TIME = 'contention.time';
// Nanoseconds to percent, and seconds to percent of nanoseconds.
const PERCENT = 100;
const SECONDS = 1e9;

const share = (meaning: string, plus: readonly string[], more: Partial<Evidence> = {}): Evidence => ({
  unit: '%',
  meaning,
  plus,
  minus: [],
  of: [TIME],
  each: undefined,
  factor: PERCENT,
  // A second: less is noise.
  enough: more.of === undefined ? SECONDS : 1,
  ...more,
});

const VCPUS = 'vcpu.current';
const DELAY = 'contention.cpu.delay';
const QUOTA = 'contention.quota.time';

/** The quantities, by name. A quantity with a statistic that is absent is absent, too. */
export const EVIDENCE = {
  paused: share('of the time the host had paused the VM', ['activity.paused.time']),
  quota: share('of the time its CPU quota stopped a virtual CPU', [QUOTA], { each: VCPUS }),
  memory: share(
    'of the time it waited for memory that the host had taken away',
    ['contention.pressure.memory.some.total'],
    { factor: PERCENT * SECONDS },
  ),
  job: share('of the time the host copied its memory or its disks', ['activity.job.time']),
  limit: share('of the I/O limit of a disk was used', ['contention.block.limit'], { of: [], factor: 1, enough: 0 }),
  io: share('of the time a request to a disk was under way', ['contention.block.time']),
  latency: share('was the mean time of a request to a disk', ['contention.block.time'], {
    unit: 'ms',
    of: ['contention.block.requests'],
    factor: 1e-6,
    enough: 5,
  }),
  // The kernel counts the time in which a quota stops a thread as time in which it waits for a CPU.
  waiting: share('of the time a virtual CPU was ready to run and waited for a CPU of the host', [DELAY], {
    minus: [QUOTA],
    each: VCPUS,
  }),
  wanted: share('of the time that it wanted to run it waited', [DELAY], {
    minus: [QUOTA],
    of: [DELAY, 'cpu.time'],
  }),
  room: share('of the CPUs that it may use it used itself', ['cpu.time'], { each: 'promised.cpus.usable' }),
  drops: share('of its network packets were dropped', ['contention.net.drops'], {
    of: ['contention.net.packets'],
    enough: 100,
  }),
} as const satisfies Readonly<Record<string, Evidence>>;

export type EvidenceName = keyof typeof EVIDENCE;
