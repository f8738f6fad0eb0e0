import { childAttribute, devicesReader, type DomainElement, sectionsReader } from '../../sources/libvirt/domain-xml.ts';

/** A disk of a running domain, in libvirt's order. */
export interface Disk {
  readonly target: string;
  readonly source?: string;
  /** Its I/O limits by libvirt's names, such as `total_iops_sec`; those that are set. */
  readonly limits: ReadonlyMap<string, number>;
}

/** What the live XML of a domain says about its limits and devices. */
export interface Definition {
  readonly disks: readonly Disk[];
  readonly interfaces: number;
  /** CPU quota of each virtual CPU, in percent of a CPU. */
  readonly quota?: number;
  /** CPU quota of the whole domain, in percent of a CPU. */
  readonly globalQuota?: number;
  /** Limit of the memory of its QEMU, in KiB. */
  readonly memoryLimit?: number;
}

const devicesOf = devicesReader('disk', 'interface');
const sectionsOf = sectionsReader('cputune', 'memtune');

// Microseconds; the default of libvirt.
const PERIOD = 100_000;

const numberIn = ({ xml }: DomainElement): number | undefined => {
  const digits = /^<[^>]*>\s*(\d{1,20})\s*</.exec(xml)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

const childNumber = (parent: DomainElement | undefined, name: string): number | undefined => {
  const child = parent?.children.find((one) => one.name === name);
  const number = child === undefined ? undefined : numberIn(child);
  return number === 0 ? undefined : number;
};

const diskOf = (disk: DomainElement): Disk => {
  const tuning = disk.children.find(({ name }) => name === 'iotune');
  const limits = (tuning?.children ?? []).flatMap((limit) => {
    const most = numberIn(limit);
    return most === undefined || most === 0 ? [] : [[limit.name, most] as const];
  });
  const source = ['file', 'dev', 'name', 'volume', 'dir']
    .map((attribute) => childAttribute(disk, 'source', attribute))
    .find((value) => value !== undefined);
  return {
    target: childAttribute(disk, 'target', 'dev') ?? '',
    ...(source === undefined ? {} : { source }),
    limits: new Map(limits),
  };
};

/** Reads the live XML of a domain. XML that cannot be read says nothing: the verdict does not need it. */
export const definitionOf = (xml: string): Definition => {
  try {
    const devices = devicesOf(xml);
    const sections = sectionsOf(xml);
    const [cpu, memory] = ['cputune', 'memtune'].map((name) => sections.find((one) => one.name === name));
    const percent = (quota: string, period: string): number | undefined => {
      const time = childNumber(cpu, quota);
      return time === undefined ? undefined : (100 * time) / (childNumber(cpu, period) ?? PERIOD);
    };
    const quota = percent('quota', 'period');
    const globalQuota = percent('global_quota', 'global_period');
    const memoryLimit = childNumber(memory, 'hard_limit');
    return {
      disks: devices.filter(({ name }) => name === 'disk').map(diskOf),
      interfaces: devices.filter(({ name }) => name === 'interface').length,
      ...(quota === undefined ? {} : { quota }),
      ...(globalQuota === undefined ? {} : { globalQuota }),
      ...(memoryLimit === undefined ? {} : { memoryLimit }),
    };
  } catch {
    return { disks: [], interfaces: 0 };
  }
};
