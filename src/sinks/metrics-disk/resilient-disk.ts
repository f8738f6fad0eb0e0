import type { MetricsXml } from '../../model/metrics-xml.ts';
import { formatCount } from '../../model/count.ts';
import { select } from './document-layout.ts';
import type { Selection } from './document-layout.ts';
import { openDisk } from './open-disk.ts';
import type { Disk, DiskOptions, Publication } from './open-disk.ts';
import { uniqueSums } from './checksum-padding.ts';

/** Result of an update. `warnings`: about the file, and metrics that do not fit. */
export interface Update extends Publication {
  readonly chosen: Selection;
  readonly warnings: readonly string[];
}

/** A metrics disk that is repaired after any damage by others. */
export interface ResilientDisk {
  readonly opened: string;
  /** Content of the file when it was opened. */
  readonly found: Disk['found'];
  /** True if the path now names another file, or none. */
  readonly gone: () => boolean;
  /** Publishes the metrics that fit. Throws on failure; then the file keeps the last document. */
  readonly write: (xml: MetricsXml) => Update;
  readonly close: () => void;
}

const FOUND: Readonly<Record<Disk['found'], string>> = {
  nothing: 'created',
  'a valid document': 'its document stays until the first new one',
  'no valid document': 'held no valid document, so an empty one was published',
};

/** Reports a change between all metrics fitting and not. */
const overflowWarnings = (path: string, before: number, now: Selection, all: MetricsXml): readonly string[] => {
  const { leftOut, domains, hostCount } = now;
  if (leftOut > 0 === before > 0) return [];
  if (leftOut === 0) return [`${path} holds all metrics again`];
  const kept = `${formatCount(hostCount)} of ${formatCount(all.hostCount)} host metrics and ${formatCount(domains)} of ${formatCount(all.domainMetrics.length)} VMs`;
  return [`${path} is too small and holds ${kept} only; raise the <size> of the disk`];
};

const REOPENED = 'VMs that have the old file open see the new one when it is attached to them again';

/** Opens a metrics disk and maintains it: makes a deleted or replaced one again, repairs a damaged one. */
export const openResilientDisk = (options: DiskOptions): ResilientDisk => {
  const { path } = options;
  const sums = uniqueSums();
  const first = openDisk(options, sums);
  // A file and its content, which synchronous calls change: no stream carries them on.
  let disk: Disk | undefined = first;
  let leftOut = 0;
  /** Warnings about repairs, for the next update. */
  let mended: readonly string[] = first.taken === undefined ? [] : [first.taken];

  const usable = (): Disk => {
    if (disk?.gone() === true) {
      disk.close();
      disk = undefined;
      mended = [`${path} was deleted or replaced, and has been made again. ${REOPENED}`];
    }
    if (disk === undefined) {
      disk = openDisk(options, sums);
      if (disk.taken !== undefined) mended = [...mended, disk.taken];
    }
    const damage = disk.repair();
    if (damage !== undefined) mended = [`${path} ${damage}; it has been rewritten`];
    return disk;
  };

  return {
    opened: `${path}, ${formatCount(first.size)} bytes: ${FOUND[first.found]}`,
    found: first.found,
    gone: () => disk?.gone() ?? true,
    write: (xml) => {
      const { size, publish } = usable();
      const chosen = select(xml, size);
      const publication = publish(chosen.parts);
      const warnings = [...mended, ...overflowWarnings(path, leftOut, chosen, xml)];
      ({ leftOut } = chosen);
      mended = [];
      return { ...publication, chosen, warnings };
    },
    close: () => disk?.close(),
  };
};
