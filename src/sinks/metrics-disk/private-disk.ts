import { unlinkSync } from 'node:fs';

import type { DomainXml, MetricsXml } from '../../model/metrics-xml.ts';
import { reasonOf } from '../../model/reason.ts';
import type { DiskOptions } from './open-disk.ts';
import type { PrivatePaths } from './private-paths.ts';
import { isStale, isMetricsDisk } from './orphans.ts';
import { openResilientDisk } from './resilient-disk.ts';
import type { ResilientDisk } from './resilient-disk.ts';

/** Result of a snapshot on one disk. */
export interface UpdateResult {
  readonly state: 'as it was' | 'changed' | 'failed';
  /** Bytes of content written. */
  readonly bytes: number;
  /** Number of metrics of this domain and the host that do not fit. */
  readonly leftOut: number;
  readonly warnings: readonly string[];
}

/** The disk of one domain. Its failures are values; each distinct one is reported once, and its end once. */
export interface PrivateDisk {
  /** Takes over an existing metrics disk. A failure shows at the next `keep`. */
  readonly adopt: () => boolean;
  /** Updates the disk. Between ticks a disk that is up to date or failing is skipped. */
  readonly keep: (host: MetricsXml, own: DomainXml | undefined, tick: boolean) => UpdateResult;
  /** True if the disk has not been written for long. */
  readonly isStale: () => boolean;
  /** Removes the file if it is still the same; returns true if it did, and throws if it cannot be removed. */
  readonly remove: () => boolean;
  /** Closes the file; its document stays. */
  readonly close: () => void;
}

export type PrivateDiskOptions = Omit<DiskOptions, 'path'>;

/** Outcome of the latest update. */
interface Latest {
  /** Content of the disk, if known. */
  readonly held: { readonly host: string; readonly own: string | undefined } | undefined;
  readonly leftOut: number;
  readonly trouble: string;
}

/** Makes the disk of the domain with this UUID. Opens nothing yet. */
export const privateDisk = (uuid: string, paths: PrivatePaths, options: PrivateDiskOptions): PrivateDisk => {
  const path = paths.pathOf(uuid);
  // A file and its content, which synchronous calls change: no stream carries them on.
  let target: ResilientDisk | undefined;
  let latest: Latest = { held: undefined, leftOut: 0, trouble: '' };

  const open = (): ResilientDisk => {
    paths.makeOwnFolder(uuid);
    return openResilientDisk({ ...options, path });
  };

  return {
    adopt: () => {
      if (!paths.isTrusted(uuid) || !isMetricsDisk(path)) return false;
      try {
        target = open();
      } catch {
        return false;
      }
      return true;
    },
    keep: ({ host, hostCount }, own, tick) => {
      const { held, leftOut, trouble } = latest;
      const isSame = held !== undefined && held.host === host && held.own === own?.xml;
      if (!tick && (isSame || trouble !== ''))
        return { state: trouble === '' ? 'as it was' : 'failed', bytes: 0, leftOut, warnings: [] };
      try {
        target ??= open();
        const update = target.write({ host, hostCount, domainMetrics: own === undefined ? [] : [own] });
        latest = { held: { host, own: own?.xml }, leftOut: update.chosen.leftOut, trouble: '' };
        return {
          state: update.changed ? 'changed' : 'as it was',
          bytes: update.changed ? update.bytes : 0,
          leftOut: update.chosen.leftOut,
          warnings: [...(trouble === '' ? [] : [`${path} has recovered`]), ...update.warnings],
        };
      } catch (error) {
        const reason = reasonOf(error);
        latest = { held: undefined, leftOut, trouble: reason };
        return { state: 'failed', bytes: 0, leftOut: 0, warnings: reason === trouble ? [] : [reason] };
      }
    },
    isStale: () => isStale(path),
    remove: () => {
      if (target === undefined) return false;
      const ours = !target.gone();
      if (ours) unlinkSync(path);
      target.close();
      target = undefined;
      paths.removeOwnFolder(uuid);
      return ours;
    },
    close: () => target?.close(),
  };
};
