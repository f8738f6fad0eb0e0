import { childAttribute, devicesReader, type DomainElement } from '../../sources/libvirt/domain-xml.ts';
import { type DiskLimits, promisesIn } from '../../sources/promise/promises.ts';

/** A disk of a running domain. */
export interface Disk extends DiskLimits {
  /** File, device or name of its source; undefined for an empty drive. */
  readonly source: string | undefined;
}

/** What the live XML of a domain says about its limits and devices. */
export interface Definition {
  /** In libvirt's order. */
  readonly disks: readonly Disk[];
  readonly interfaces: number;
  /** CPUs that its quotas leave to it: all virtual CPUs without a quota. */
  readonly cpus: number | undefined;
  /** Limit of the memory of its QEMU, in KiB; undefined without one. */
  readonly memoryLimit: number | undefined;
}

const disksOf = devicesReader('disk');

const sourceOf = (disk: DomainElement | undefined): string | undefined =>
  disk &&
  ['file', 'dev', 'name', 'volume', 'dir']
    .map((attribute) => childAttribute(disk, 'source', attribute))
    .find((value) => value !== undefined);

/** Reads the live XML of a domain. XML that cannot be read says nothing: the verdict does not need it. */
export const definitionOf = (xml: string): Definition => {
  try {
    const elements = disksOf(xml);
    const { disks, interfaces, cpus, memoryLimit } = promisesIn(xml);
    return {
      disks: disks.map((disk, at) => ({ ...disk, source: sourceOf(elements[at]) })),
      interfaces: interfaces.length,
      cpus,
      memoryLimit: memoryLimit === 0 ? undefined : memoryLimit,
    };
  } catch {
    return { disks: [], interfaces: 0, cpus: undefined, memoryLimit: undefined };
  }
};
