import type { Context, ValueType } from './metric.ts';

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

/** A name that `<stat>` accepts; `#` stands for a number (or `*`, which sums), `?` for one word. */
export interface StatName {
  readonly name: string;
  readonly type: ValueType;
  readonly meaning: string;
}

const stat = (name: string, type: ValueType, meaning: string): StatName => ({ name, type, meaning });

/** Statistics of the host. Memory is in KiB, like libvirt's; times are in seconds. docs/stats.md is tested against this. */
export const HOST_STATS: readonly StatName[] = [
  stat('host.hostname', 'string', 'full host name, as `hostname` prints it'),
  stat('host.hostname.short', 'string', 'host name up to the first dot'),
  stat('host.time', 'uint64', 'seconds since 1970-01-01 UTC'),
  stat('host.uptime', 'real64', 'seconds since boot'),
  stat('host.vendor', 'string', 'name of the distribution: NAME of os-release'),
  stat('host.vendor.name', 'string', 'vendor of the distribution: VENDOR_NAME of os-release; where it has none, NAME'),
  stat('host.product', 'string', 'hypervisor and its running version, as "Running hypervisor" of `virsh version`'),
  stat(
    'host.libvirt.hostname',
    'string',
    'host name that libvirt gives, as `virsh hostname` prints it: mostly the full one',
  ),
  stat('host.cpus', 'uint32', 'CPUs that are online, as CPU(s) of `virsh nodeinfo`'),
  stat('host.memory.total', 'uint64', 'physical memory, KiB'),
  stat('host.memory.used', 'uint64', 'memory in use, KiB: total less available, as `free` prints it'),
  stat('host.memory.free', 'uint64', 'free memory, KiB, caches not counted'),
  stat('host.memory.available', 'uint64', 'memory that new work could get without swapping, KiB'),
  stat('host.swap.total', 'uint64', 'swap space, KiB'),
  stat('host.swap.used', 'uint64', 'swap space in use, KiB'),
  stat('host.swap.free', 'uint64', 'free swap space, KiB'),
  stat('host.swap.in', 'uint64', 'memory swapped in since boot, KiB'),
  stat('host.swap.out', 'uint64', 'memory swapped out since boot, KiB'),
  stat('host.virtual.used', 'uint64', 'memory and swap in use, KiB'),
  stat('host.virtual.free', 'uint64', 'free memory and free swap, KiB'),
  stat('host.paging.in', 'uint64', 'data paged in from disks since boot, KiB'),
  stat('host.paging.out', 'uint64', 'data paged out to disks since boot, KiB'),
  stat('host.paging.in.rate', 'real64', 'KiB paged in per second since the previous tick (since boot at the first)'),
  stat('host.paging.out.rate', 'real64', 'KiB paged out per second since the previous tick'),
  stat('host.paging.faults.rate', 'real64', 'page faults per second since the previous tick'),
  stat('host.cpu.time', 'real64', 'CPU time spent in user, nice and system mode since boot, s'),
  stat('host.cpu.user', 'real64', 'CPU time in user mode, s; guests are part of it'),
  stat('host.cpu.nice', 'real64', 'CPU time in user mode at low priority, s'),
  stat('host.cpu.system', 'real64', 'CPU time in the kernel, s'),
  stat('host.cpu.idle', 'real64', 'CPU time idle, s'),
  stat('host.cpu.iowait', 'real64', 'CPU time idle with I/O outstanding, s'),
  stat('host.cpu.irq', 'real64', 'CPU time in hard and soft interrupts, s'),
  stat('host.cpu.steal', 'real64', 'CPU time that the hypervisor below took away, s'),
  stat('host.load.1', 'real64', 'load average over 1 minute'),
  stat('host.load.5', 'real64', 'load average over 5 minutes'),
  stat('host.load.15', 'real64', 'load average over 15 minutes'),
  ...(['cpu', 'memory', 'io'] as const).flatMap((resource) =>
    (['some', 'full'] as const).flatMap((share) => [
      ...(['10', '60', '300'] as const).map((seconds) =>
        stat(
          `host.pressure.${resource}.${share}.avg${seconds}`,
          'real64',
          `PSI: % of the last ${seconds} s in which ${share} tasks waited for ${resource}`,
        ),
      ),
      stat(
        `host.pressure.${resource}.${share}.total`,
        'real64',
        `PSI: seconds since boot in which ${share} tasks waited for ${resource}`,
      ),
    ]),
  ),
];

/** Statistics of a domain, by libvirt's own names (`virsh domstats`, libvirt's virConnectGetAllDomainStats). */
export const DOMAIN_STATS: readonly StatName[] = [
  stat('state.state', 'int32', 'virDomainState'),
  stat('state.reason', 'int32', 'reason of the state'),
  stat('cpu.time', 'uint64', 'CPU time, ns'),
  stat('cpu.user', 'uint64', 'CPU time in user mode, ns'),
  stat('cpu.system', 'uint64', 'CPU time in the kernel, ns'),
  stat('cpu.haltpoll.success.time', 'uint64', 'CPU time in successful halt polls, ns'),
  stat('cpu.haltpoll.fail.time', 'uint64', 'CPU time in failed halt polls, ns'),
  stat('cpu.cache.monitor.count', 'uint32', 'cache monitors'),
  stat('cpu.cache.monitor.#.name', 'string', 'name of the monitor'),
  stat('cpu.cache.monitor.#.vcpus', 'string', 'virtual CPUs of the monitor'),
  stat('cpu.cache.monitor.#.bank.count', 'uint32', 'cache banks of the monitor'),
  stat('cpu.cache.monitor.#.bank.#.id', 'uint32', "the host's number of the cache"),
  stat('cpu.cache.monitor.#.bank.#.bytes', 'uint64', 'last level cache in use there, bytes'),
  stat('balloon.current', 'uint64', 'memory given now, KiB'),
  stat('balloon.maximum', 'uint64', 'maximum memory, KiB'),
  ...['swap_in', 'swap_out', 'unused', 'available', 'usable', 'rss', 'disk_caches'].map((field) =>
    stat(`balloon.${field}`, 'uint64', 'KiB, reported by the guest (rss: by the host)'),
  ),
  ...['major_fault', 'minor_fault', 'hugetlb_pgalloc', 'hugetlb_pgfail'].map((field) =>
    stat(`balloon.${field}`, 'uint64', 'count, reported by the guest'),
  ),
  stat('balloon.last-update', 'uint64', 'when the guest last reported, seconds since 1970'),
  stat('vcpu.current', 'uint32', 'virtual CPUs online'),
  stat('vcpu.maximum', 'uint32', 'virtual CPUs at most'),
  stat('vcpu.#.state', 'int32', 'virVcpuState'),
  stat('vcpu.#.time', 'uint64', 'CPU time of the virtual CPU, ns'),
  stat('vcpu.#.wait', 'uint64', 'time the virtual CPU waited in the run queue, ns; 0 without schedstats'),
  stat('vcpu.#.delay', 'uint64', 'time the virtual CPU was ready but not run (steal), ns'),
  stat('vcpu.#.halted', 'uint32', '1 if halted'),
  stat('vcpu.#.?.sum', 'uint64', "a sum of KVM's own statistics of the virtual CPU"),
  stat('vcpu.#.?.cur', 'uint64', "a current value of KVM's own statistics of the virtual CPU"),
  stat('vcpu.#.?.max', 'uint64', "a maximum of KVM's own statistics of the virtual CPU"),
  stat('net.count', 'uint32', 'network interfaces'),
  stat('net.#.name', 'string', 'name of the interface on the host'),
  ...['rx', 'tx'].flatMap((way) =>
    ['bytes', 'pkts', 'errs', 'drop'].map((field) => stat(`net.#.${way}.${field}`, 'uint64', `${way} ${field}`)),
  ),
  stat('block.count', 'uint32', 'block devices'),
  stat('block.#.name', 'string', 'target name of the device'),
  stat('block.#.path', 'string', 'source of the device'),
  ...['rd', 'wr', 'fl'].flatMap((way) => [
    stat(`block.#.${way}.reqs`, 'uint64', `${way} requests`),
    stat(`block.#.${way}.times`, 'uint64', `time spent in ${way}, ns`),
    ...(way === 'fl' ? [] : [stat(`block.#.${way}.bytes`, 'uint64', `${way} bytes`)]),
  ]),
  ...['errors', 'allocation', 'capacity', 'physical', 'threshold', 'backingIndex'].map((field) =>
    stat(`block.#.${field}`, 'uint64', `${field} of the block device`),
  ),
  ...Object.entries({
    request_alignment: 'alignment of requests, bytes',
    discard_max: 'most that is discarded at once, bytes',
    discard_alignment: 'best alignment of discards, bytes',
    write_zeroes_max: 'most that is zeroed at once, bytes',
    write_zeroes_alignment: 'best alignment of zeroing, bytes',
    transfer_optimal: 'best length of a transfer, bytes',
    transfer_max: 'longest transfer, bytes',
    transfer_hw_max: 'longest transfer of the hardware, bytes',
    iov_max: 'most pieces of a request',
    iov_hw_max: 'most pieces of a request of the hardware',
    memory_alignment_minimal: 'least alignment of memory, bytes',
    memory_alignment_optimal: 'best alignment of memory, bytes',
  }).map(([field, meaning]) => stat(`block.#.limits.${field}`, 'uint64', `${meaning} (libvirt 11.10)`)),
  stat('block.#.timed_group.count', 'uint64', 'intervals with statistics of their own (libvirt 11.10)'),
  stat('block.#.timed_group.#.interval_length', 'uint64', 'length of the interval, s'),
  ...Object.entries({ rd: 'reads', wr: 'writes', zone_append: 'zone appends', flush: 'flushes' }).flatMap(
    ([way, requests]) => [
      ...Object.entries({ min: 'least', max: 'greatest', avg: 'average' }).map(([kind, word]) =>
        stat(`block.#.timed_group.#.${way}_latency_${kind}`, 'uint64', `${word} latency of ${requests} there, ns`),
      ),
      ...(way === 'flush'
        ? []
        : [stat(`block.#.timed_group.#.${way}_queue_depth_avg`, 'real64', `${requests} on the way there, on average`)]),
    ],
  ),
  ...['read', 'write', 'zone_append', 'flush'].flatMap((way) => [
    stat(`block.#.latency_histogram.${way}.bin.count`, 'uint64', `bins of the histogram of ${way} (libvirt 12)`),
    stat(`block.#.latency_histogram.${way}.bin.#.start`, 'uint64', 'least latency of the bin, ns'),
    stat(`block.#.latency_histogram.${way}.bin.#.value`, 'uint64', `${way} requests in the bin`),
  ]),
  stat('perf.?', 'uint64', 'a performance event that is enabled for the domain'),
  stat('iothread.count', 'uint32', 'I/O threads'),
  ...['poll-max-ns', 'poll-grow', 'poll-shrink'].map((field) =>
    stat(`iothread.#.${field}`, 'uint64', `${field} of the I/O thread`),
  ),
  stat('memory.bandwidth.monitor.count', 'uint32', 'memory bandwidth monitors'),
  stat('memory.bandwidth.monitor.#.name', 'string', 'name of the monitor'),
  stat('memory.bandwidth.monitor.#.vcpus', 'string', 'virtual CPUs of the monitor'),
  stat('memory.bandwidth.monitor.#.node.count', 'uint32', 'memory controllers of the monitor'),
  stat('memory.bandwidth.monitor.#.node.#.id', 'uint32', "the host's number of the memory controller"),
  stat('memory.bandwidth.monitor.#.node.#.bytes.local', 'uint64', 'bytes from the local memory controller'),
  stat('memory.bandwidth.monitor.#.node.#.bytes.total', 'uint64', 'bytes from all memory controllers'),
  stat('dirtyrate.calc_status', 'int32', 'status of the last calculation'),
  stat('dirtyrate.calc_start_time', 'int64', 'start of the last calculation, s'),
  stat('dirtyrate.calc_period', 'int32', 'period of the last calculation, s'),
  stat('dirtyrate.megabytes_per_second', 'int64', 'memory dirtied, MiB/s'),
  stat('dirtyrate.calc_mode', 'string', 'mode of the last calculation'),
  stat('dirtyrate.vcpu.#.megabytes_per_second', 'uint64', 'memory dirtied by the virtual CPU, MiB/s'),
  stat('vm.?.sum', 'uint64', "a sum of KVM's own statistics of the domain"),
  stat('vm.?.cur', 'uint64', "a current value of KVM's own statistics of the domain"),
  stat('vm.?.max', 'uint64', "a maximum of KVM's own statistics of the domain"),
];

const pattern = (name: string): RegExp =>
  new RegExp(`^${name.replaceAll('.', '\\.').replaceAll('?', '[a-z0-9_-]+').replaceAll('#', '(?:\\d+|\\*)')}$`);

const patterns: Readonly<Record<Context, readonly (readonly [RegExp, StatName])[]>> = {
  host: HOST_STATS.map((known) => [pattern(known.name), known]),
  vm: DOMAIN_STATS.map((known) => [pattern(known.name), known]),
};

const NEW_FIELD = /^[a-z]+(?:\.(?:[A-Za-z0-9_-]+|\*))+$/;

/** Whether a name that the table lacks may be a field of a newer libvirt: in one of the groups that are asked for. */
export const mayBeNew = (name: string): boolean =>
  NEW_FIELD.test(name) && Object.hasOwn(STATS_GROUP, name.split('.', 1)[0] ?? '');

/** The table's entry for a name in `<stat>`, or undefined if there is no such statistic in that context. */
export const findStat = (context: Context, name: string): StatName | undefined =>
  patterns[context].find(([matches]) => matches.test(name))?.[1];
