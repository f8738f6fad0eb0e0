import type { Config } from '../../config/config.ts';
import type { Context, MetricDefinition } from '../../model/metric.ts';
import { findStat } from '../../model/statistics.ts';
import { STATISTICS_NEEDED } from '../../verdict/judge.ts';

/** Number of devices of the domain, whose statistics libvirt numbers. */
export interface Devices {
  readonly disks: number;
  readonly interfaces: number;
}

/** Statistics of all running domains that need no answer of their QEMU: the CPU that each of them takes. */
const OF_ALL: readonly string[] = ['cpu.time', 'vcpu.current', 'state.state'];

// What names the offender of a cause, and shows that a cause is there now.
const OF_ONE: readonly string[] = [
  'contention.quota.periods',
  'contention.quota.throttled',
  'contention.memory.swapped',
  'contention.memory.refaults',
  'activity.job',
  'activity.job.progress',
  'activity.paused.reason',
];

const OF_DISK = [
  'name',
  ...['rd', 'wr', 'fl'].flatMap((way) => [`${way}.reqs`, `${way}.times`]),
  'rd.bytes',
  'wr.bytes',
];
const OF_INTERFACE = ['name', ...['rx', 'tx'].flatMap((way) => [`${way}.pkts`, `${way}.drop`])];

const OF_HOST = ['host.cpu.time', 'host.cpus'];

const numbered = (group: string, count: number, fields: readonly string[]): readonly string[] =>
  Array.from({ length: count }, (_, at) => fields.map((field) => `${group}.${at}.${field}`)).flat();

const PLACE = { file: 'vhostmd why', line: 0, column: 0 };
// Milliseconds of an action, of which there is none.
const NO_ACTION = 1000;

const metricsOf = (context: Context, stats: readonly string[]): readonly Omit<MetricDefinition, 'index'>[] =>
  [...new Set(stats)].flatMap((stat) => {
    const row = findStat(context, stat);
    return row === undefined
      ? []
      : [
          {
            name: stat,
            type: row.type,
            context,
            source: { kind: 'stat' as const, stat },
            variables: [],
            every: 1,
            timeout: NO_ACTION,
            place: PLACE,
          },
        ];
  });

/** True for a metric that costs no answer of the domain's QEMU, so that all domains may be asked for it. */
export const isOfAll = ({ name }: Pick<MetricDefinition, 'name'>): boolean => OF_ALL.includes(name);

/**
 * Returns the configuration that collects what the verdict and the words about it need; each metric has the name and
 * the unit of its statistic. `devices`: those of the one domain that is asked for; undefined for all domains.
 */
export const planOf = (seconds: number, devices: Devices | undefined): Config => {
  const { disks, interfaces } = devices ?? { disks: 0, interfaces: 0 };
  const vm = [
    ...STATISTICS_NEEDED,
    ...OF_ALL,
    ...(devices === undefined ? [] : OF_ONE),
    ...numbered('block', disks, OF_DISK),
    ...numbered('net', interfaces, OF_INTERFACE),
  ];
  const metrics = [...metricsOf('host', devices === undefined ? [] : OF_HOST), ...metricsOf('vm', vm)];
  return {
    file: PLACE.file,
    updatePeriod: seconds * 1000,
    path: '',
    transports: [],
    maxParallelActions: 1,
    sinks: [],
    metrics: metrics.map((metric, index) => ({ ...metric, index })),
  };
};
