import { availableParallelism } from 'node:os';

import type { HostFiles } from './proc-files.ts';
import type { Fact, HostFacts } from '../libvirt/types.ts';
import { osRelease } from './os-release.ts';

/** What a host statistic is made of. */
export interface HostView {
  readonly files: HostFiles;
  /** What libvirt knows of the host; undefined as long as it was never reached. */
  readonly libvirt: HostFacts | undefined;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Bytes. */
  readonly pageSize: () => number;
  /** Ticks of the times in /proc/stat per second (proc(5)). */
  readonly clockTicks: () => number;
  /** Change of a counter of this statistic per second. */
  readonly rate: (count: number) => number;
}

/** A statistic that cannot be had throws an Error with the reason. */
type Read = (view: HostView) => number | string;

// What has fallen below 0, the kernel and lxcfs print as 2^64 less it, in KiB as 2^54 less it; nothing true comes near.
const notBelowZero = (count: number): number => (count >= 2 ** 53 ? 0 : count);

const CPU_FIELDS = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
const cpu =
  (...fields: readonly (typeof CPU_FIELDS)[number][]): Read =>
  ({ files, clockTicks }) => {
    const times = files.numbers('proc/stat', 'cpu');
    return fields.reduce((sum, field) => sum + notBelowZero(times[CPU_FIELDS.indexOf(field)] ?? 0), 0) / clockTicks();
  };

const memory = ({ files }: HostView, name: string): number => files.entry('proc/meminfo', name);
// In a container the files may mix figures of the host and of the container: no part may be more than the whole.
const partOf =
  (whole: string, part: string) =>
  (view: HostView): number =>
    Math.min(notBelowZero(memory(view, part)), memory(view, whole));
const memoryFree = partOf('MemTotal', 'MemFree');
const swapFree = partOf('SwapTotal', 'SwapFree');
// Where it cannot be, free memory stands for it, as in free(1) of procps.
const memoryAvailable = (view: HostView): number => {
  const available = memory(view, 'MemAvailable');
  return available > memory(view, 'MemTotal') ? memoryFree(view) : available;
};
const memoryUsed = (view: HostView): number => memory(view, 'MemTotal') - memoryAvailable(view);
const swapUsed = (view: HostView): number => memory(view, 'SwapTotal') - swapFree(view);

const count = ({ files }: HostView, name: string): number => notBelowZero(files.entry('proc/vmstat', name));
const counter =
  (name: string): Read =>
  (view) =>
    count(view, name);
const counterRate =
  (name: string): Read =>
  (view) =>
    view.rate(count(view, name));
const pages =
  (name: string): Read =>
  (view) =>
    count(view, name) * (view.pageSize() / 1024);

const words = ({ files }: HostView, path: string): readonly string[] => files.text(path).trim().split(/\s+/);
const load =
  (index: number): Read =>
  (view) =>
    Number(words(view, 'proc/loadavg')[index]);

const hostName = ({ files }: HostView): string => files.text('proc/sys/kernel/hostname').trim();

// /etc first, as os-release(5) says; NAME has a default, also where there is no file at all.
const fromOsRelease =
  (...names: readonly string[]): Read =>
  ({ files }) => {
    const found = osRelease(
      firstOf(
        () => files.text('etc/os-release'),
        () =>
          firstOf(
            () => files.text('usr/lib/os-release'),
            () => '',
          ),
      ),
    );
    return names.map((name) => found.get(name)).find((value) => value !== undefined && value !== '') ?? 'Linux';
  };

const known = <T>(fact: Fact<T> | undefined): T => {
  if (fact === undefined) throw new Error('libvirt is not connected');
  if (!fact.ok) throw new Error(fact.reason);
  return fact.value;
};

const cpus: Read = ({ libvirt, files }) =>
  libvirt?.cpus?.ok === true
    ? libvirt.cpus.value
    : firstOf(
        () => countList(files.text('sys/devices/system/cpu/online')),
        () => availableParallelism(),
      );

// The kernel's list format: `0-3,5,8-9`.
const countList = (list: string): number =>
  list
    .trim()
    .split(',')
    .map((range) => range.split('-').map(Number))
    .reduce((sum, [first = NaN, last = first]) => sum + last - first + 1, 0);

const firstOf = <T>(first: () => T, second: () => T): T => {
  try {
    return first();
  } catch {
    return second();
  }
};

// proc/pressure/*: `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, averages in %, the total in microseconds.
const pressure =
  (resource: string, share: string, field: string): Read =>
  ({ files }) => {
    const path = `proc/pressure/${resource}`;
    const line = pressureText(files, path).match(new RegExp(`^${share} .*\\b${field}=([\\d.]+)`, 'm'));
    if (line === null) throw new Error(`/${path} has no ${share} ${field}; the kernel is too old for it`);
    return field === 'total' ? Number(line[1]) / 1e6 : Number(line[1]);
  };

const pressureText = (files: HostFiles, path: string): string => {
  try {
    return files.text(path);
  } catch (error) {
    throw new Error(`${(error as Error).message}; pressure needs Linux 4.20 or later, perhaps booted with psi=1`, {
      cause: error,
    });
  }
};

/** How each of the host's statistics is read; the names, units and types are those of model/statistics.ts. */
export const HOST_READERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['host.hostname', hostName],
  ['host.hostname.short', (view) => hostName(view).split('.', 1)[0] ?? ''],
  ['host.time', ({ wallClock }) => Math.floor(wallClock() / 1000)],
  ['host.uptime', (view) => Number(words(view, 'proc/uptime')[0])],
  ['host.vendor', fromOsRelease('NAME')],
  ['host.vendor.name', fromOsRelease('VENDOR_NAME', 'NAME')],
  ['host.product', ({ libvirt }) => known(libvirt?.product)],
  ['host.libvirt.hostname', ({ libvirt }) => known(libvirt?.hostname)],
  ['host.cpus', cpus],
  ['host.memory.total', (view) => memory(view, 'MemTotal')],
  ['host.memory.used', memoryUsed],
  ['host.memory.free', memoryFree],
  ['host.memory.available', memoryAvailable],
  ['host.swap.total', (view) => memory(view, 'SwapTotal')],
  ['host.swap.used', swapUsed],
  ['host.swap.free', swapFree],
  ['host.swap.in', pages('pswpin')],
  ['host.swap.out', pages('pswpout')],
  ['host.virtual.used', (view) => memoryUsed(view) + swapUsed(view)],
  ['host.virtual.free', (view) => memoryFree(view) + swapFree(view)],
  ['host.paging.in', counter('pgpgin')],
  ['host.paging.out', counter('pgpgout')],
  ['host.paging.in.rate', counterRate('pgpgin')],
  ['host.paging.out.rate', counterRate('pgpgout')],
  ['host.paging.faults.rate', counterRate('pgfault')],
  // Guest time is part of user and nice already.
  ['host.cpu.time', cpu('user', 'nice', 'system')],
  ['host.cpu.user', cpu('user')],
  ['host.cpu.nice', cpu('nice')],
  ['host.cpu.system', cpu('system')],
  ['host.cpu.idle', cpu('idle')],
  ['host.cpu.iowait', cpu('iowait')],
  ['host.cpu.irq', cpu('irq', 'softirq')],
  ['host.cpu.steal', cpu('steal')],
  ['host.load.1', load(0)],
  ['host.load.5', load(1)],
  ['host.load.15', load(2)],
  ...['cpu', 'memory', 'io'].flatMap((resource) =>
    ['some', 'full'].flatMap((share) =>
      ['avg10', 'avg60', 'avg300', 'total'].map((field): [string, Read] => [
        `host.pressure.${resource}.${share}.${field}`,
        pressure(resource, share, field),
      ]),
    ),
  ),
]);
