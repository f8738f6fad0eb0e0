import { childOf, type DomainElement, domainReader, textOf } from '../libvirt/domain-xml.ts';

/** Limits of a disk, per second; 0 is none, as in libvirt. */
export interface DiskLimits {
  /** Name of its target, as `vda`. */
  readonly name: string;
  /** Disks of a domain with the same group share its limits. */
  readonly group: string | undefined;
  readonly bytes: Limits;
  readonly iops: Limits;
}

export interface Limits {
  readonly total: number;
  readonly read: number;
  readonly write: number;
}

/** Limits of an interface in KiB/s; 0 is none. `rx`: towards the guest. */
export interface InterfaceLimits {
  readonly rx: Bandwidth;
  readonly tx: Bandwidth;
}

export interface Bandwidth {
  readonly average: number;
  readonly peak: number;
}

/** What a domain is entitled to, from its live XML (https://libvirt.org/formatdomain.html). */
export interface Promises {
  /** Virtual CPUs that are online. */
  readonly vcpus: number;
  /** CPUs: its virtual CPUs, cut by its quotas. */
  readonly cpus: number;
  /** Quota of each virtual CPU in percent of one CPU; 0 is none. */
  readonly quota: number;
  /** Weight against others; 0: libvirt's default. */
  readonly shares: number;
  /** CPUs of the host on which its virtual CPUs may run; undefined: all. */
  readonly pinned: ReadonlySet<number> | undefined;
  /** KiB given to it now. */
  readonly memory: number;
  /** KiB that the host may not take. */
  readonly guaranteed: number;
  /** KiB that QEMU may use; 0 is no limit. */
  readonly memoryLimit: number;
  readonly disks: readonly DiskLimits[];
  readonly interfaces: readonly InterfaceLimits[];
}

const readDomain = domainReader('disk', 'interface');

const numberIn = (element: DomainElement | undefined, ...path: readonly string[]): number => {
  const found = path.reduce<DomainElement | undefined>((at, name) => childOf(at, name), element);
  const number = found === undefined ? 0 : Number(textOf(found));
  return Number.isFinite(number) && number > 0 ? number : 0;
};
const attribute = (element: DomainElement | undefined, name: string): number => {
  const number = Number(element?.attributes[name] ?? 0);
  return Number.isFinite(number) && number > 0 ? number : 0;
};

/** Reads a list of CPUs such as `0-3,^2,8`. */
export const cpusIn = (list: string): ReadonlySet<number> => {
  const cpus = new Set<number>();
  for (const part of list.split(',')) {
    const [, not, from, to] = /^\s*(\^?)(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    if (from === undefined) continue;
    for (let cpu = Number(from); cpu <= Number(to ?? from); cpu += 1) {
      if (not === '^') cpus.delete(cpu);
      else cpus.add(cpu);
    }
  }
  return cpus;
};

// Microseconds; the kernel's default. The XML has none if only the quota was set, as by `virsh schedinfo`.
const PERIOD = 100_000;
const share = (quota: number, period: number): number => (quota > 0 ? quota / (period || PERIOD) : Infinity);

// libvirt: a virtual CPU without a pin of its own has that of all, and without one all CPUs of the host.
const pinnedOf = (domain: DomainElement, vcpus: number): ReadonlySet<number> | undefined => {
  const all = childOf(domain, 'vcpu')?.attributes['cpuset'];
  const pins = new Map(
    (childOf(domain, 'cputune')?.children ?? [])
      .filter(({ name }) => name === 'vcpupin')
      .map(({ attributes }) => [Number(attributes['vcpu']), attributes['cpuset']] as const),
  );
  const lists = Array.from({ length: vcpus }, (_, at) => pins.get(at) ?? all);
  if (lists.length === 0 || lists.includes(undefined)) return undefined;
  return new Set(lists.flatMap((list) => [...cpusIn(list ?? '')]));
};

const limitsOf = (iotune: DomainElement | undefined, what: 'bytes' | 'iops'): Limits => ({
  total: numberIn(iotune, `total_${what}_sec`),
  read: numberIn(iotune, `read_${what}_sec`),
  write: numberIn(iotune, `write_${what}_sec`),
});

const diskOf = (disk: DomainElement): DiskLimits => {
  const iotune = childOf(disk, 'iotune');
  const group = childOf(iotune, 'group_name');
  return {
    name: childOf(disk, 'target')?.attributes['dev'] ?? '',
    group: group === undefined ? undefined : textOf(group),
    bytes: limitsOf(iotune, 'bytes'),
    iops: limitsOf(iotune, 'iops'),
  };
};

const bandwidthOf = (element: DomainElement | undefined): Bandwidth => ({
  average: attribute(element, 'average'),
  peak: attribute(element, 'peak'),
});

const interfaceOf = (nic: DomainElement): InterfaceLimits => {
  const bandwidth = childOf(nic, 'bandwidth');
  return { rx: bandwidthOf(childOf(bandwidth, 'inbound')), tx: bandwidthOf(childOf(bandwidth, 'outbound')) };
};

/**
 * Reads what a domain is entitled to from its live XML.
 *
 * @throws Error if it is not well-formed.
 */
export const promisesIn = (xml: string): Promises => {
  const domain = readDomain(xml);
  const tune = childOf(domain, 'cputune');
  const vcpu = childOf(domain, 'vcpu');
  const vcpus = attribute(vcpu, 'current') || numberIn(domain, 'vcpu');
  const each = share(numberIn(tune, 'quota'), numberIn(tune, 'period'));
  const whole = share(numberIn(tune, 'global_quota'), numberIn(tune, 'global_period'));
  const backing = childOf(domain, 'memoryBacking');
  const isBacked = childOf(backing, 'hugepages') !== undefined || childOf(backing, 'locked') !== undefined;
  const memory = numberIn(domain, 'memory');
  const devices = childOf(domain, 'devices')?.children ?? [];
  return {
    vcpus,
    cpus: Math.min(vcpus * Math.min(1, each), whole),
    quota: each === Infinity ? 0 : each * 100,
    shares: numberIn(tune, 'shares'),
    pinned: pinnedOf(domain, vcpus),
    memory: numberIn(domain, 'currentMemory') || memory,
    guaranteed: isBacked ? memory : numberIn(domain, 'memtune', 'min_guarantee'),
    memoryLimit: numberIn(domain, 'memtune', 'hard_limit'),
    disks: devices.filter(({ name }) => name === 'disk').map(diskOf),
    interfaces: devices.filter(({ name }) => name === 'interface').map(interfaceOf),
  };
};
