import { unlinkSync } from 'node:fs';

import type { DomainXml, MetricsXml } from '../../model/metrics-xml.ts';
import { reasonOf } from '../../model/reason.ts';
import type { DiskOptions } from './open-disk.ts';
import type { PrivatePaths } from './private-paths.ts';
import { isStale, isMetricsDisk } from './orphans.ts';
import { openResilientDisk } from './resilient-disk.ts';
import type { ResilientDisk } from './resilient-disk.ts';

/** What became of one disk at one snapshot. */
export interface UpdateResult {
  readonly state: 'as it was' | 'changed' | 'failed';
  /** Written bytes of content. */
  readonly bytes: number;
  /** Metrics of this domain and the host that do not fit. */
  readonly leftOut: number;
  readonly warnings: readonly string[];
}

/** The disk of one domain. Its troubles are values; each different one is told once, and once when it is over. */
export interface PrivateDisk {
  /** Takes over what lies there, if it is a metrics disk. A trouble shows at the next `keep`. */
  readonly adopt: () => boolean;
  /** Brings it up to date. Between ticks one that is up to date, or in trouble, is left alone. */
  readonly keep: (host: MetricsXml, own: DomainXml | undefined, tick: boolean) => UpdateResult;
  /** Whether nobody has kept it for long. */
  readonly leftBehind: () => boolean;
  /** Removes the file, if it is still the one that was kept here, and tells whether; throws if it cannot be removed. */
  readonly remove: () => boolean;
  /** Leaves what is published. */
  readonly close: () => void;
}

export type PrivateDiskOptions = Omit<DiskOptions, 'path'>;

/** Keeps the disk of the domain with this UUID; nothing is opened yet. */
export const privateDisk = (uuid: string, paths: PrivatePaths, options: PrivateDiskOptions): PrivateDisk => {
  const path = paths.pathOf(uuid);
  let target: ResilientDisk | undefined;
  /** What the disk holds. */
  let held: { readonly host: string; readonly own: string | undefined } | undefined;
  let leftOut = 0;
  let trouble = '';

  const open = (): ResilientDisk => {
    paths.makeOwnFolder(uuid);
    return openResilientDisk({ ...options, path });
  };

  const write = ({ host, hostCount }: MetricsXml, own: DomainXml | undefined): UpdateResult => {
    target ??= open();
    const { changed, bytes, chosen, warnings } = target.write({
      host,
      hostCount,
      domainMetrics: own === undefined ? [] : [own],
    });
    held = { host, own: own?.xml };
    leftOut = chosen.leftOut;
    const over = trouble === '' ? [] : [`${path} has recovered`];
    trouble = '';
    return {
      state: changed ? 'changed' : 'as it was',
      bytes: changed ? bytes : 0,
      leftOut,
      warnings: [...over, ...warnings],
    };
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
    keep: (host, own, tick) => {
      const same = held !== undefined && held.host === host.host && held.own === own?.xml;
      if (!tick && (same || trouble !== ''))
        return { state: trouble === '' ? 'as it was' : 'failed', bytes: 0, leftOut, warnings: [] };
      try {
        return write(host, own);
      } catch (error) {
        const before = trouble;
        held = undefined;
        trouble = reasonOf(error);
        return { state: 'failed', bytes: 0, leftOut: 0, warnings: trouble === before ? [] : [trouble] };
      }
    },
    leftBehind: () => isStale(path),
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
