import type { Context, MetricDefinition, ValueType } from './metric.ts';

/** libvirt's groups of domain statistics: flags of virConnectGetAllDomainStats (libvirt-domain.h). */
export const STATS_GROUP = {
  state: 1,
  cpu: 2,
  balloon: 4,
  vcpu: 8,
  net: 16,
  block: 32,
  perf: 64,
  iothread: 128,
  memory: 256,
  dirtyrate: 512,
  vm: 1024,
} as const;
export type StatsGroup = keyof typeof STATS_GROUP;

/** Quantities that `vhostmd watch` shows in its table. */
export type Quantity =
  | 'name'
  | 'time'
  | 'cpuTime'
  | 'cpus'
  | `memory${'' | 'Maximum' | 'Total' | 'Used' | 'Free' | 'Available'}`
  | `load${1 | 5 | 15}`
  | `steal${'Time' | 'Share'}`;

/** A statistic that the daemon reads itself. `#` in its name is a number (or `*`, the sum of all), `?` is one word. */
export interface Statistic<Name extends string = string, Via extends string = string> {
  readonly name: Name;
  readonly type: ValueType;
  /** Unit, as in a `unit` attribute; empty for text, counts and codes. */
  readonly unit: '' | 's' | 'ns' | 'B' | 'KiB' | '%' | '/s' | 'KiB/s' | 'MiB/s';
  /** `counter`: only grows, or restarts from 0; `untyped`: text, or not documented by libvirt. */
  readonly kind: 'counter' | 'gauge' | 'untyped';
  readonly meaning: string;
  /** Quantity in `vhostmd watch`; for a name with `#`, that of the sum. */
  readonly quantity: Quantity | undefined;
  /** File of the kernel or call of libvirt that has it. */
  readonly via: Via;
}

type Row<Name extends string> = Omit<Statistic<Name>, 'via'>;

const row =
  (kind: Statistic['kind']) =>
  <Name extends string>(
    name: Name,
    type: ValueType,
    unit: Statistic['unit'],
    meaning: string,
    quantity?: Quantity,
  ): Row<Name> => ({ name, type, unit, kind, meaning, quantity });
const counter = row('counter');
const gauge = row('gauge');
const untyped = row('untyped');
const text = <Name extends string>(name: Name, meaning: string, quantity?: Quantity): Row<Name> =>
  untyped(name, 'string', '', meaning, quantity);

const from = <Name extends string, Via extends string>(
  via: Via,
  rows: readonly Row<Name>[],
): readonly Statistic<Name, Via>[] => rows.map((each) => ({ ...each, via }));

/** All facts about the statistics. Code and documentation derive from this table. */
export const STATISTICS = {
  host: [
    ...from('/proc/sys/kernel/hostname', [
      text('host.hostname', 'full host name, as `hostname` prints it', 'name'),
      text('host.hostname.short', 'host name up to the first dot'),
    ]),
    ...from('clock', [gauge('host.time', 'uint64', 's', 'time since 1970-01-01 UTC', 'time')]),
    ...from('/proc/uptime', [gauge('host.uptime', 'real64', 's', 'time since boot')]),
    ...from('/etc/os-release', [
      text('host.vendor', 'name of the distribution: NAME of os-release'),
      text('host.vendor.name', 'vendor of the distribution: VENDOR_NAME of os-release; where it has none, NAME'),
    ]),
    ...from('virConnectGetVersion', [
      text('host.product', 'hypervisor and its running version, as "Running hypervisor" of `virsh version`'),
    ]),
    ...from('virConnectGetHostname', [
      text('host.libvirt.hostname', 'host name that libvirt gives, as `virsh hostname` prints it: mostly the full one'),
    ]),
    ...from('virNodeGetInfo', [
      gauge('host.cpus', 'uint32', '', 'CPUs that are online, as CPU(s) of `virsh nodeinfo`', 'cpus'),
    ]),
    ...from('/proc/meminfo', [
      gauge('host.memory.total', 'uint64', 'KiB', 'physical memory', 'memoryTotal'),
      gauge(
        'host.memory.used',
        'uint64',
        'KiB',
        'memory in use: total less available, as in `free` of procps 4',
        'memoryUsed',
      ),
      gauge('host.memory.free', 'uint64', 'KiB', 'free memory, caches not counted', 'memoryFree'),
      gauge('host.memory.available', 'uint64', 'KiB', 'memory for new work without swapping', 'memoryAvailable'),
      gauge('host.swap.total', 'uint64', 'KiB', 'swap space'),
      gauge('host.swap.used', 'uint64', 'KiB', 'swap space in use'),
      gauge('host.swap.free', 'uint64', 'KiB', 'free swap space'),
      gauge('host.virtual.used', 'uint64', 'KiB', 'memory and swap in use'),
      gauge('host.virtual.free', 'uint64', 'KiB', 'free memory and free swap'),
    ]),
    ...from('/proc/vmstat', [
      counter('host.swap.in', 'uint64', 'KiB', 'memory swapped in since boot'),
      counter('host.swap.out', 'uint64', 'KiB', 'memory swapped out since boot'),
      counter('host.paging.in', 'uint64', 'KiB', 'data paged in from disks since boot'),
      counter('host.paging.out', 'uint64', 'KiB', 'data paged out to disks since boot'),
      gauge('host.paging.in.rate', 'real64', 'KiB/s', 'data paged in since the previous tick; at first, since boot'),
      gauge('host.paging.out.rate', 'real64', 'KiB/s', 'data paged out since the previous tick'),
      gauge('host.paging.faults.rate', 'real64', '/s', 'page faults since the previous tick'),
    ]),
    ...from('/proc/stat', [
      counter('host.cpu.time', 'real64', 's', 'CPU time spent in user, nice and system mode since boot', 'cpuTime'),
      counter('host.cpu.user', 'real64', 's', 'CPU time in user mode; guests are part of it'),
      counter('host.cpu.nice', 'real64', 's', 'CPU time in user mode at low priority'),
      counter('host.cpu.system', 'real64', 's', 'CPU time in the kernel'),
      counter('host.cpu.idle', 'real64', 's', 'CPU time idle'),
      counter('host.cpu.iowait', 'real64', 's', 'CPU time idle with I/O outstanding'),
      counter('host.cpu.irq', 'real64', 's', 'CPU time in hard and soft interrupts'),
      counter('host.cpu.steal', 'real64', 's', 'CPU time that the hypervisor below took away'),
    ]),
    ...from('/proc/loadavg', [
      gauge('host.load.1', 'real64', '', 'load average over 1 minute', 'load1'),
      gauge('host.load.5', 'real64', '', 'load average over 5 minutes', 'load5'),
      gauge('host.load.15', 'real64', '', 'load average over 15 minutes', 'load15'),
    ]),
    ...from('virDomainGetXMLDesc', [
      gauge('host.overcommit.cpus', 'real64', '', 'virtual CPUs of all running VMs for each CPU of the host'),
      gauge(
        'host.overcommit.memory',
        'real64',
        '%',
        'memory given to all running VMs now, in percent of the physical memory',
      ),
    ]),
    ...(['cpu', 'memory', 'io'] as const).flatMap((resource) =>
      from(
        `/proc/pressure/${resource}`,
        (['some', 'full'] as const).flatMap((share) => {
          const waited = `in which ${share === 'some' ? 'some task' : 'all tasks'} waited for ${resource}`;
          return [
            ...(['10', '60', '300'] as const).map((seconds) =>
              gauge(
                `host.pressure.${resource}.${share}.avg${seconds}`,
                'real64',
                '%',
                `PSI: share of the last ${seconds} s ${waited}`,
              ),
            ),
            counter(`host.pressure.${resource}.${share}.total`, 'real64', 's', `PSI: time since boot ${waited}`),
          ];
        }),
      ),
    ),
  ],
  /** Names are libvirt's, as `virsh domstats` prints them. */
  vm: [
    ...from('virDomainGetInfo', [
      gauge('state.state', 'int32', '', 'virDomainState'),
      counter('cpu.time', 'uint64', 'ns', 'CPU time', 'cpuTime'),
      gauge('balloon.current', 'uint64', 'KiB', 'memory given now', 'memory'),
      gauge('balloon.maximum', 'uint64', 'KiB', 'maximum memory', 'memoryMaximum'),
      gauge('vcpu.current', 'uint32', '', 'virtual CPUs online', 'cpus'),
    ]),
    ...from('virDomainListGetStats', [
      gauge('state.reason', 'int32', '', 'reason of the state'),
      counter('cpu.user', 'uint64', 'ns', 'CPU time in user mode'),
      counter('cpu.system', 'uint64', 'ns', 'CPU time in the kernel'),
      counter('cpu.haltpoll.success.time', 'uint64', 'ns', 'CPU time in successful halt polls'),
      counter('cpu.haltpoll.fail.time', 'uint64', 'ns', 'CPU time in failed halt polls'),
      gauge('cpu.cache.monitor.count', 'uint32', '', 'cache monitors'),
      text('cpu.cache.monitor.#.name', 'name of the monitor'),
      text('cpu.cache.monitor.#.vcpus', 'virtual CPUs of the monitor'),
      gauge('cpu.cache.monitor.#.bank.count', 'uint32', '', 'cache banks of the monitor'),
      gauge('cpu.cache.monitor.#.bank.#.id', 'uint32', '', "the host's number of the cache"),
      gauge('cpu.cache.monitor.#.bank.#.bytes', 'uint64', 'B', 'last level cache in use there'),
      counter('balloon.swap_in', 'uint64', 'KiB', 'memory that the guest has swapped in'),
      counter('balloon.swap_out', 'uint64', 'KiB', 'memory that the guest has swapped out'),
      gauge('balloon.unused', 'uint64', 'KiB', 'memory that the guest uses for nothing'),
      gauge('balloon.available', 'uint64', 'KiB', 'memory that the guest sees'),
      gauge('balloon.usable', 'uint64', 'KiB', 'memory that the guest could give away without swapping'),
      gauge('balloon.rss', 'uint64', 'KiB', "resident memory of the domain's process on the host"),
      gauge('balloon.disk_caches', 'uint64', 'KiB', 'memory in which the guest caches files'),
      counter('balloon.major_fault', 'uint64', '', 'page faults in the guest that needed a disk'),
      counter('balloon.minor_fault', 'uint64', '', 'other page faults in the guest'),
      counter('balloon.hugetlb_pgalloc', 'uint64', '', 'huge pages that the guest got'),
      counter('balloon.hugetlb_pgfail', 'uint64', '', 'huge pages that the guest asked for in vain'),
      gauge('balloon.last-update', 'uint64', 's', 'when the guest last reported, since 1970-01-01 UTC'),
      gauge('vcpu.maximum', 'uint32', '', 'virtual CPUs at most'),
      gauge('vcpu.#.state', 'int32', '', 'virVcpuState'),
      counter('vcpu.#.time', 'uint64', 'ns', 'CPU time of the virtual CPU'),
      counter('vcpu.#.wait', 'uint64', 'ns', 'time the virtual CPU waited in the run queue; 0 without schedstats'),
      counter('vcpu.#.delay', 'uint64', 'ns', 'time the virtual CPU was ready but not run (steal)', 'stealTime'),
      gauge('vcpu.#.halted', 'uint32', '', '1 if halted'),
      counter('vcpu.#.?.sum', 'uint64', '', "a sum of KVM's own statistics of the virtual CPU"),
      gauge('vcpu.#.?.cur', 'uint64', '', "a current value of KVM's own statistics of the virtual CPU"),
      gauge('vcpu.#.?.max', 'uint64', '', "a maximum of KVM's own statistics of the virtual CPU"),
      gauge('net.count', 'uint32', '', 'network interfaces'),
      text('net.#.name', 'name of the interface on the host'),
      ...Object.entries({ rx: 'incoming', tx: 'outgoing' }).flatMap(([way, which]) => [
        counter(`net.#.${way}.bytes`, 'uint64', 'B', `${which} data`),
        counter(`net.#.${way}.pkts`, 'uint64', '', `${which} packets`),
        counter(`net.#.${way}.errs`, 'uint64', '', `${which} packets with errors`),
        counter(`net.#.${way}.drop`, 'uint64', '', `${which} packets that were dropped`),
      ]),
      gauge('block.count', 'uint32', '', 'block devices'),
      text('block.#.name', 'target name of the device'),
      text('block.#.path', 'source of the device'),
      ...Object.entries({ rd: 'read', wr: 'write', fl: 'flush' }).flatMap(([way, which]) => [
        counter(`block.#.${way}.reqs`, 'uint64', '', `${which} requests`),
        counter(`block.#.${way}.times`, 'uint64', 'ns', `time spent in ${which} requests`),
      ]),
      counter('block.#.rd.bytes', 'uint64', 'B', 'data read'),
      counter('block.#.wr.bytes', 'uint64', 'B', 'data written'),
      counter('block.#.errors', 'uint64', '', 'errors of the device (Xen)'),
      gauge('block.#.allocation', 'uint64', 'B', 'end of the highest sector that was written'),
      gauge('block.#.capacity', 'uint64', 'B', 'size of the device in the guest'),
      gauge('block.#.physical', 'uint64', 'B', 'size of the file or device on the host'),
      gauge('block.#.threshold', 'uint64', 'B', 'allocation at which libvirt reports an event'),
      gauge('block.#.backingIndex', 'uint64', '', 'place in the chain of backing files'),
      gauge('block.#.limits.request_alignment', 'uint64', 'B', 'alignment of requests (libvirt 11.10)'),
      gauge('block.#.limits.discard_max', 'uint64', 'B', 'most that is discarded at once (libvirt 11.10)'),
      gauge('block.#.limits.discard_alignment', 'uint64', 'B', 'best alignment of discards (libvirt 11.10)'),
      gauge('block.#.limits.write_zeroes_max', 'uint64', 'B', 'most that is zeroed at once (libvirt 11.10)'),
      gauge('block.#.limits.write_zeroes_alignment', 'uint64', 'B', 'best alignment of zeroing (libvirt 11.10)'),
      gauge('block.#.limits.transfer_optimal', 'uint64', 'B', 'best length of a transfer (libvirt 11.10)'),
      gauge('block.#.limits.transfer_max', 'uint64', 'B', 'longest transfer (libvirt 11.10)'),
      gauge('block.#.limits.transfer_hw_max', 'uint64', 'B', 'longest transfer of the hardware (libvirt 11.10)'),
      gauge('block.#.limits.iov_max', 'uint64', '', 'most pieces of a request (libvirt 11.10)'),
      gauge('block.#.limits.iov_hw_max', 'uint64', '', 'most pieces of a request of the hardware (libvirt 11.10)'),
      gauge('block.#.limits.memory_alignment_minimal', 'uint64', 'B', 'least alignment of memory (libvirt 11.10)'),
      gauge('block.#.limits.memory_alignment_optimal', 'uint64', 'B', 'best alignment of memory (libvirt 11.10)'),
      gauge('block.#.timed_group.count', 'uint64', '', 'intervals with statistics of their own (libvirt 11.10)'),
      gauge('block.#.timed_group.#.interval_length', 'uint64', 's', 'length of the interval'),
      ...Object.entries({ rd: 'reads', wr: 'writes', zone_append: 'zone appends', flush: 'flushes' }).flatMap(
        ([way, requests]) => [
          gauge(`block.#.timed_group.#.${way}_latency_min`, 'uint64', 'ns', `least latency of ${requests} there`),
          gauge(`block.#.timed_group.#.${way}_latency_max`, 'uint64', 'ns', `greatest latency of ${requests} there`),
          gauge(`block.#.timed_group.#.${way}_latency_avg`, 'uint64', 'ns', `average latency of ${requests} there`),
        ],
      ),
      gauge('block.#.timed_group.#.rd_queue_depth_avg', 'real64', '', 'outstanding reads there, on average'),
      gauge('block.#.timed_group.#.wr_queue_depth_avg', 'real64', '', 'outstanding writes there, on average'),
      gauge('block.#.timed_group.#.zone_append_queue_depth_avg', 'real64', '', 'outstanding zone appends, on average'),
      ...['read', 'write', 'zone_append', 'flush'].flatMap((way) => [
        gauge(
          `block.#.latency_histogram.${way}.bin.count`,
          'uint64',
          '',
          `bins of the histogram of ${way} (libvirt 12)`,
        ),
        gauge(`block.#.latency_histogram.${way}.bin.#.start`, 'uint64', 'ns', 'least latency of the bin'),
        counter(`block.#.latency_histogram.${way}.bin.#.value`, 'uint64', '', `${way} requests in the bin`),
      ]),
      untyped('perf.?', 'uint64', '', 'a performance event that is enabled for the domain'),
      gauge('iothread.count', 'uint32', '', 'I/O threads'),
      gauge('iothread.#.poll-max-ns', 'uint64', 'ns', 'longest time that the I/O thread polls'),
      gauge('iothread.#.poll-grow', 'uint64', '', 'factor by which polling gets longer; 0: the hypervisor chooses'),
      gauge('iothread.#.poll-shrink', 'uint64', '', 'divisor by which polling gets shorter; 0: the hypervisor chooses'),
      gauge('memory.bandwidth.monitor.count', 'uint32', '', 'memory bandwidth monitors'),
      text('memory.bandwidth.monitor.#.name', 'name of the monitor'),
      text('memory.bandwidth.monitor.#.vcpus', 'virtual CPUs of the monitor'),
      gauge('memory.bandwidth.monitor.#.node.count', 'uint32', '', 'memory controllers of the monitor'),
      gauge('memory.bandwidth.monitor.#.node.#.id', 'uint32', '', "the host's number of the memory controller"),
      counter('memory.bandwidth.monitor.#.node.#.bytes.local', 'uint64', 'B', 'data from the local memory controller'),
      counter('memory.bandwidth.monitor.#.node.#.bytes.total', 'uint64', 'B', 'data from all memory controllers'),
      gauge('dirtyrate.calc_status', 'int32', '', 'status of the last calculation'),
      gauge('dirtyrate.calc_start_time', 'int64', 's', 'start of the last calculation'),
      gauge('dirtyrate.calc_period', 'int32', 's', 'period of the last calculation'),
      gauge('dirtyrate.megabytes_per_second', 'int64', 'MiB/s', 'memory dirtied'),
      text('dirtyrate.calc_mode', 'mode of the last calculation'),
      gauge('dirtyrate.vcpu.#.megabytes_per_second', 'uint64', 'MiB/s', 'memory dirtied by the virtual CPU'),
      counter('vm.?.sum', 'uint64', '', "a sum of KVM's own statistics of the domain"),
      gauge('vm.?.cur', 'uint64', '', "a current value of KVM's own statistics of the domain"),
      gauge('vm.?.max', 'uint64', '', "a maximum of KVM's own statistics of the domain"),
    ]),
    ...from('clock', [
      counter('contention.time', 'uint64', 'ns', 'time since the daemon found this run of the domain'),
    ]),
    ...from('virDomainListGetStats', [
      counter('contention.block.time', 'uint64', 'ns', 'time that requests to its disks took, all added up'),
      counter('contention.block.requests', 'uint64', '', 'those requests: reads, writes and flushes'),
      gauge(
        'contention.block.limit',
        'real64',
        '%',
        'greatest use of an I/O limit of a disk since the previous collection; 0 without limits',
      ),
      ...Object.entries({ rd: 'read', wr: 'write', fl: 'flush' }).map(([way, which]) =>
        gauge(
          `contention.block.${way}.latency`,
          'uint64',
          'ns',
          `mean time of a ${which} request since the previous collection; 0 without one`,
        ),
      ),
      counter('contention.net.packets', 'uint64', '', 'packets of its interfaces, with those that were dropped'),
      counter('contention.net.drops', 'uint64', '', 'packets that were dropped between the host and the VM'),
    ]),
    ...from('/proc/PID/task/TID/schedstat', [
      counter('contention.cpu.delay', 'uint64', 'ns', 'time that virtual CPUs were ready to run and waited for a CPU'),
      counter('contention.cpu.delay.other', 'uint64', 'ns', "the same of QEMU's other threads"),
    ]),
    ...from('/proc/PID/status', [
      gauge('contention.memory.swapped', 'uint64', 'KiB', "memory of QEMU in the host's swap"),
    ]),
    ...from('cgroup/cpu.stat', [
      counter('contention.quota.periods', 'uint64', '', 'periods of its CPU quotas'),
      counter('contention.quota.throttled', 'uint64', '', 'periods in which a quota stopped it'),
      counter('contention.quota.time', 'uint64', 'ns', 'time for which a quota stopped it'),
    ]),
    ...from('cgroup/memory.stat', [
      counter('contention.memory.refaults', 'uint64', '', 'pages that the kernel took away and had to read again'),
      gauge('contention.memory.huge', 'uint64', 'KiB', 'memory in transparent huge pages'),
    ]),
    ...from('cgroup/memory.numa_stat', [
      gauge(
        'contention.memory.remote',
        'real64',
        '%',
        'memory on other NUMA nodes than those of its virtual CPUs; absent on hosts with one',
      ),
    ]),
    ...from('cgroup/memory.events', [
      counter('contention.memory.high', 'uint64', '', 'times at memory.high, where it is slowed down (cgroup v2)'),
      counter('contention.memory.max', 'uint64', '', 'times at its memory limit'),
      counter('contention.memory.oom', 'uint64', '', 'processes that the kernel killed at that limit'),
    ]),
    ...(['cpu', 'memory', 'io'] as const).flatMap((resource) =>
      from(
        `cgroup/${resource}.pressure`,
        (['some', 'full'] as const).flatMap((share) => {
          const waited = `in which ${share === 'some' ? 'a thread' : 'all threads'} of it waited for ${resource}`;
          return [
            gauge(
              `contention.pressure.${resource}.${share}.avg10`,
              'real64',
              '%',
              `PSI: share of the last 10 s ${waited}`,
            ),
            counter(`contention.pressure.${resource}.${share}.total`, 'real64', 's', `PSI: time ${waited}`),
          ];
        }),
      ),
    ),
    ...from('virDomainGetXMLDesc', [
      gauge('promised.cpus', 'real64', '', 'CPUs that it is entitled to: its virtual CPUs, cut by its quotas'),
      gauge('promised.cpus.usable', 'uint32', '', 'CPUs of the host on which its virtual CPUs may run'),
      gauge('promised.cpu.shares', 'uint64', '', "weight against other VMs; 0: libvirt's default"),
      gauge('promised.cpu.quota', 'real64', '%', 'quota of each virtual CPU, in percent of a CPU; 0: none'),
      gauge('promised.memory.guaranteed', 'uint64', 'KiB', 'memory that the host may not take'),
      gauge('promised.memory.limit', 'uint64', 'KiB', 'most memory of its QEMU; 0: no limit'),
      ...(['total', 'read', 'write'] as const).flatMap((way) => {
        const what = way === 'total' ? 'reads and writes' : `${way}s`;
        return [
          gauge(`promised.block.#.${way}.bytes`, 'uint64', 'B', `limit of ${what} in bytes per second; 0: none`),
          gauge(`promised.block.#.${way}.iops`, 'uint64', '/s', `limit of ${what} in requests per second; 0: none`),
        ];
      }),
      ...Object.entries({ rx: 'to', tx: 'from' }).flatMap(([way, which]) => [
        gauge(`promised.net.#.${way}.average`, 'uint64', 'KiB/s', `limit of data ${which} the guest; 0: none`),
        gauge(`promised.net.#.${way}.peak`, 'uint64', 'KiB/s', `limit of a burst ${which} the guest; 0: none`),
      ]),
    ]),
    ...from('events', [
      text(
        'activity.job',
        'what the host does to it: `migration`, `save`, `dump`, `backup`, `snapshot`, ..., or `none`',
      ),
      counter('activity.job.time', 'uint64', 'ns', 'time in which such a job ran'),
      gauge('activity.job.progress', 'real64', '%', 'how far the job is; 0 without one, or if libvirt does not know'),
      counter('activity.job.ended', 'uint64', '', 'jobs that have ended'),
      counter('activity.paused.time', 'uint64', 'ns', 'time for which the host had paused it'),
      text('activity.paused.reason', 'why it was paused last: `user`, `migration`, `ioerror`, ..., or `none`'),
      counter('activity.io.errors', 'uint64', '', 'I/O errors of its disks'),
    ]),
    ...from('verdict', [
      text(
        'slow.cause',
        'first cause why it is slow, as in docs/why.md; `none`, or `unknown` if not all could be judged',
      ),
      gauge('slow.share', 'real64', '%', 'share of the time that this cause took; of packets for `network`; 0 without'),
    ]),
  ],
} as const satisfies Readonly<Record<Context, readonly Statistic[]>>;

export type HostStatistic = (typeof STATISTICS.host)[number];
type DomainStatistic = (typeof STATISTICS.vm)[number];
/** Statistics of a domain from files of the kernel. */
export type ContentionStatistic = Exclude<
  Extract<DomainStatistic, { readonly name: `contention.${string}` }>,
  { readonly via: `vir${string}` }
>;
/** Statistics of what the host does to a domain. */
export type ActivityStatistic = Extract<DomainStatistic, { readonly name: `activity.${string}` }>;
/** Statistics in the result of virDomainGetInfo, the cheapest call by far. */
export type DomainInfoStatistic = Extract<(typeof STATISTICS.vm)[number], { readonly via: 'virDomainGetInfo' }>;

const pattern = (name: string): RegExp =>
  new RegExp(`^${name.replaceAll('.', '\\.').replaceAll('?', '[a-z0-9_-]+').replaceAll('#', '(?:\\d+|\\*)')}$`);

const patterns = new Map(
  Object.values(STATISTICS)
    .flat()
    .map(({ name }) => [name, pattern(name)]),
);

const NEW_FIELD = /^([a-z]+)(?:\.(?:[A-Za-z0-9_-]+|\*))+$/;

/** True if a name that the table lacks may be a field of a newer libvirt: its first word is a known group. */
export const mayBeNew = (name: string): boolean => {
  const group = NEW_FIELD.exec(name)?.[1];
  return group !== undefined && Object.hasOwn(STATS_GROUP, group);
};

/** True for a metric with a {@link ContentionStatistic}. */
export const isContention = ({ source }: Pick<MetricDefinition, 'source'>): boolean =>
  source.kind === 'stat' && source.stat.startsWith('contention.');

/** True for a metric with what a domain is entitled to. */
export const isPromise = ({ source }: Pick<MetricDefinition, 'source'>): boolean =>
  source.kind === 'stat' && source.stat.startsWith('promised.');

/** True for a metric of the host that is made of what all of its domains are entitled to. */
export const isOvercommit = ({ source }: Pick<MetricDefinition, 'source'>): boolean =>
  source.kind === 'stat' && source.stat.startsWith('host.overcommit.');

/** True for a metric that is made of others: the verdict. */
export const isVerdict = ({ source }: Pick<MetricDefinition, 'source'>): boolean =>
  source.kind === 'stat' && source.stat.startsWith('slow.');

/** Returns the row of a name in `<stat>`, or undefined if the context has no such statistic. */
export const findStat = (context: Context, name: string): Statistic | undefined =>
  STATISTICS[context].find((known) => patterns.get(known.name)?.test(name));
