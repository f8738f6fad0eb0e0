import { availableParallelism } from 'node:os';

import type { Result } from '../../model/result.ts';
import { type HostStatistic, STATISTICS } from '../../model/statistics.ts';
import type { HostFiles } from './proc-files.ts';
import type { HostFact, HostFacts } from '../libvirt/types.ts';
import type { Load } from '../promise/load.ts';
import { osRelease } from './os-release.ts';

/** Inputs of a host statistic. */
export interface HostView {
  readonly files: HostFiles;
  /** The file with the statistic, or the call of libvirt. */
  readonly via: HostStatistic['via'];
  /** Facts from libvirt; undefined until it has been reached. */
  readonly libvirt: HostFacts | undefined;
  /** What all running domains are entitled to, or the reason why that is not known. */
  readonly load: Result<Load>;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Bytes per page of memory. */
  readonly pageSize: () => number;
  /** Ticks per second of the times in /proc/stat (proc(5)). */
  readonly clockTicks: () => number;
  /** Returns the change of the statistic's counter per second. */
  readonly rate: (count: number) => number;
}

/** Reads a statistic; throws an Error with the reason if it is not available. */
type Read = (view: HostView) => number | string;

// The kernel and lxcfs print negative numbers modulo 2^64, in KiB modulo 2^54. No real value is that large.
const notBelowZero = (count: number): number => (count >= 2 ** 53 ? 0 : count);

const CPU_FIELDS = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
const cpu =
  (...fields: readonly (typeof CPU_FIELDS)[number][]): Read =>
  ({ files, via, clockTicks }) => {
    const times = files.numbers(via, 'cpu');
    return fields.reduce((sum, field) => sum + notBelowZero(times[CPU_FIELDS.indexOf(field)] ?? 0), 0) / clockTicks();
  };

const entry = ({ files, via }: HostView, name: string): number => files.entry(via, name);
// In a container the files may mix figures of the host and of the container, so a part is limited to the whole.
const partOf =
  (whole: string, part: string) =>
  (view: HostView): number =>
    Math.min(notBelowZero(entry(view, part)), entry(view, whole));
const memoryFree = partOf('MemTotal', 'MemFree');
const swapFree = partOf('SwapTotal', 'SwapFree');
// An impossible value is replaced by the free memory, as in free(1) of procps.
const memoryAvailable = (view: HostView): number => {
  const available = entry(view, 'MemAvailable');
  return available > entry(view, 'MemTotal') ? memoryFree(view) : available;
};
const memoryUsed = (view: HostView): number => entry(view, 'MemTotal') - memoryAvailable(view);
const swapUsed = (view: HostView): number => entry(view, 'SwapTotal') - swapFree(view);

const count = (view: HostView, name: string): number => notBelowZero(entry(view, name));
const pages = (view: HostView, name: string): number => count(view, name) * (view.pageSize() / 1024);

const word =
  (index: number): Read =>
  ({ files, via }) =>
    Number(files.text(via).trim().split(/\s+/)[index]);

const hostName = ({ files, via }: HostView): string => files.text(via).trim();

// /etc comes first (os-release(5)). NAME has a default, even without a file.
const fromOsRelease =
  (...names: readonly string[]): Read =>
  ({ files, via }) => {
    const found = osRelease(
      firstOf(
        () => files.text(via),
        () => files.text('/usr/lib/os-release'),
        () => '',
      ),
    );
    return names.map((name) => found.get(name)).find((value) => value !== undefined && value !== '') ?? 'Linux';
  };

const fact =
  (name: HostFact): Read =>
  ({ libvirt }) => {
    const known = libvirt?.[name];
    if (known === undefined) throw new Error('libvirt is not connected');
    if (!known.ok) throw new Error(known.error);
    return known.value;
  };

const cpus: Read = (view) =>
  firstOf(
    () => fact('host.cpus')(view),
    () => countList(view.files.text('/sys/devices/system/cpu/online')),
    () => availableParallelism(),
  );

// The kernel's list format: `0-3,5,8-9`.
const countList = (list: string): number =>
  list
    .trim()
    .split(',')
    .map((range) => range.split('-').map(Number))
    .reduce((sum, [first = NaN, last = first]) => sum + last - first + 1, 0);

const firstOf = <T>(way: () => T, ...others: readonly (() => T)[]): T => {
  const [next, ...rest] = others;
  if (next === undefined) return way();
  try {
    return way();
  } catch {
    return firstOf(next, ...rest);
  }
};

// In percent of the whole, or per unit of it.
const overcommit =
  (part: keyof Load, whole: (view: HostView) => number | string, factor: number): Read =>
  (view) => {
    if (!view.load.ok) throw new Error(view.load.error);
    return (factor * view.load.value[part]) / Number(whole(view));
  };
const physicalMemory = ({ files }: HostView): number => files.entry('/proc/meminfo', 'MemTotal');

type PressureName = Extract<HostStatistic['name'], `host.pressure.${string}`>;
const isPressure = (name: string): name is PressureName => name.startsWith('host.pressure.');

// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`: averages in %, the total in microseconds.
const pressure =
  (name: PressureName): Read =>
  ({ files, via }) => {
    const [, , , share = '', field = ''] = name.split('.');
    const line = pressureText(files, via).match(new RegExp(`^${share} .*\\b${field}=([\\d.]+)`, 'm'));
    if (line === null) throw new Error(`${via} has no ${share} ${field}; the kernel is too old for it`);
    return field === 'total' ? Number(line[1]) / 1e6 : Number(line[1]);
  };
const pressures = STATISTICS.host.map(({ name }) => name).filter(isPressure);

const pressureText = (files: HostFiles, path: string): string => {
  try {
    return files.text(path);
  } catch (error) {
    throw new Error(`${(error as Error).message}; pressure needs Linux 4.20 or later, perhaps booted with psi=1`, {
      cause: error,
    });
  }
};

/** Readers of the host's statistics, one for each row of model/statistics.ts. */
export const HOST_READERS: Readonly<Record<HostStatistic['name'], Read>> = {
  'host.hostname': hostName,
  'host.hostname.short': (view) => hostName(view).split('.', 1)[0] ?? '',
  'host.time': ({ wallClock }) => Math.floor(wallClock() / 1000),
  'host.uptime': word(0),
  'host.vendor': fromOsRelease('NAME'),
  'host.vendor.name': fromOsRelease('VENDOR_NAME', 'NAME'),
  'host.product': fact('host.product'),
  'host.libvirt.hostname': fact('host.libvirt.hostname'),
  'host.cpus': cpus,
  'host.memory.total': (view) => entry(view, 'MemTotal'),
  'host.memory.used': memoryUsed,
  'host.memory.free': memoryFree,
  'host.memory.available': memoryAvailable,
  'host.swap.total': (view) => entry(view, 'SwapTotal'),
  'host.swap.used': swapUsed,
  'host.swap.free': swapFree,
  'host.swap.in': (view) => pages(view, 'pswpin'),
  'host.swap.out': (view) => pages(view, 'pswpout'),
  'host.virtual.used': (view) => memoryUsed(view) + swapUsed(view),
  'host.virtual.free': (view) => memoryFree(view) + swapFree(view),
  'host.paging.in': (view) => count(view, 'pgpgin'),
  'host.paging.out': (view) => count(view, 'pgpgout'),
  'host.paging.in.rate': (view) => view.rate(count(view, 'pgpgin')),
  'host.paging.out.rate': (view) => view.rate(count(view, 'pgpgout')),
  'host.paging.faults.rate': (view) => view.rate(count(view, 'pgfault')),
  // Guest time is included in user and nice.
  'host.cpu.time': cpu('user', 'nice', 'system'),
  'host.cpu.user': cpu('user'),
  'host.cpu.nice': cpu('nice'),
  'host.cpu.system': cpu('system'),
  'host.cpu.idle': cpu('idle'),
  'host.cpu.iowait': cpu('iowait'),
  'host.cpu.irq': cpu('irq', 'softirq'),
  'host.cpu.steal': cpu('steal'),
  'host.load.1': word(0),
  'host.load.5': word(1),
  'host.load.15': word(2),
  'host.overcommit.cpus': overcommit('vcpus', cpus, 1),
  'host.overcommit.memory': overcommit('memory', physicalMemory, 100),
  ...(Object.fromEntries(pressures.map((name) => [name, pressure(name)])) as Record<PressureName, Read>),
};
