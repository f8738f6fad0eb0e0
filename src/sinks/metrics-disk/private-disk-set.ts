import { concat, defer, filter, map, toArray } from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

import type { Snapshot } from '../../model/metric.ts';
import { metricsXml } from '../../model/metrics-xml.ts';
import { causeOf } from '../../model/reason.ts';
import { escapeForLog } from '../../model/value.ts';
import { inTimeSlices$ } from '../../rx/in-time-slices.ts';
import { adoptedEntry, byUuid, type DiskSet, type Entry, nextDiskSet, NO_DISKS } from './disk-entries.ts';
import { removeOrphan } from './orphans.ts';
import { privateDisk } from './private-disk.ts';
import type { PrivateDisk, PrivateDiskOptions } from './private-disk.ts';
import type { PrivatePaths } from './private-paths.ts';

/**
 * Milliseconds for which the disk of an ended domain stays: if the domain starts again at once, the hook has already
 * found the disk in place.
 */
const REMOVAL_DELAY_MS = 3000;

/** Result of a snapshot on all disks. */
export interface UpdateSummary {
  readonly count: number;
  readonly changed: number;
  readonly failed: number;
  readonly removed: number;
  readonly bytes: number;
  readonly leftOut: number;
  readonly warnings: readonly string[];
}

/** Result of a snapshot on one disk. `entry`: the disk from now on; undefined if it was removed. */
type Step = Partial<UpdateSummary> & { readonly uuid: string; readonly entry: Entry | undefined };

const summaryOf = (warnings: readonly string[], steps: readonly Step[]): UpdateSummary => {
  const sum = (of: Exclude<keyof UpdateSummary, 'warnings'>): number =>
    steps.reduce((total, step) => total + (step[of] ?? 0), 0);
  return {
    count: sum('count'),
    changed: sum('changed'),
    failed: sum('failed'),
    removed: sum('removed'),
    bytes: sum('bytes'),
    leftOut: sum('leftOut'),
    warnings: [...warnings, ...steps.flatMap((step) => step.warnings ?? [])],
  };
};

const warningOf = ({ name }: Entry, message: string): string =>
  `Private disk of "${escapeForLog(name, 64)}": ${message}`;

/** The set of private disks, which follows the domains that libvirt knows. It works in slices of time. */
export const privateDiskSet = (paths: PrivatePaths, options: PrivateDiskOptions, scheduler: SchedulerLike) => {
  const diskOf = (uuid: string): PrivateDisk => privateDisk(uuid, paths, options);
  // Each snapshot is an update of its own, so no operator carries the state from one to the next.
  let set: DiskSet = NO_DISKS;

  const remove = (entry: Entry): Step => {
    const { uuid } = entry;
    try {
      return { uuid, entry: undefined, removed: Number(entry.disk.remove()) };
    } catch (error) {
      const stuck = `${paths.pathOf(uuid)} cannot be removed: ${causeOf(error)}; remove it by hand`;
      return { uuid, entry: { ...entry, stuck }, warnings: stuck === entry.stuck ? [] : [warningOf(entry, stuck)] };
    }
  };

  const removeUnknown = (uuid: string): Step => {
    const isRemoved = paths.isTrusted(uuid) && removeOrphan(paths.pathOf(uuid));
    if (isRemoved) paths.removeOwnFolder(uuid);
    return { uuid, entry: undefined, removed: Number(isRemoved) };
  };

  const updates = (snapshot: Snapshot): readonly (() => Step)[] => {
    const xml = metricsXml(snapshot);
    const own = new Map(xml.domainMetrics.map((xmlOf) => [xmlOf.domain.uuid, xmlOf]));
    const keep = (entry: Entry): Step => {
      const { state, bytes, leftOut, warnings } = entry.disk.keep(xml, own.get(entry.uuid), set.isTick);
      return {
        uuid: entry.uuid,
        entry,
        count: 1,
        changed: Number(state === 'changed'),
        failed: Number(state === 'failed'),
        bytes,
        leftOut,
        warnings: warnings.map((warning) => warningOf(entry, warning)),
      };
    };
    return [...set.entries.values()].flatMap((entry) => {
      if (entry.role === 'known' || (entry.role === 'adopted' && set.domains === undefined)) return () => keep(entry);
      return entry.role === 'gone' && set.isTick && snapshot.at - entry.goneAt >= REMOVAL_DELAY_MS
        ? () => remove(entry)
        : [];
    });
  };

  const sweep = (): readonly (() => Step)[] => {
    if (!set.isSweep) return [];
    return paths.found().flatMap((uuid) => {
      const entry = set.entries.get(uuid);
      if (entry === undefined) return () => removeUnknown(uuid);
      return entry.role === 'adopted' && entry.disk.isStale() ? () => remove(entry) : [];
    });
  };

  const inSlices$ = (steps: readonly (() => Step)[]): Observable<Step> =>
    inTimeSlices$(steps, (step) => step(), scheduler);

  return {
    /** Takes over existing disks of domains that libvirt may or may not report; emits their number. */
    adopt$: defer(() => {
      const found = paths.found().map((uuid) => adoptedEntry(uuid, diskOf(uuid)));
      set = { ...set, entries: byUuid(found) };
      return inTimeSlices$(found, (entry) => ({ entry, isAdopted: entry.disk.adopt() }), scheduler).pipe(
        filter(({ isAdopted }) => isAdopted),
        toArray(),
        map((adopted) => {
          set = { ...set, entries: byUuid(adopted.map(({ entry }) => entry)) };
          return adopted.length;
        }),
      );
    }),
    update$: (snapshot: Snapshot): Observable<UpdateSummary> =>
      defer(() => {
        set = nextDiskSet(set, snapshot, diskOf);
        return concat(
          inSlices$(updates(snapshot)),
          defer(() => inSlices$(sweep())),
        ).pipe(
          toArray(),
          map((steps) => {
            const after = new Map(steps.map(({ uuid, entry }) => [uuid, entry]));
            const entries = [...set.entries.values()].flatMap((entry) =>
              after.has(entry.uuid) ? (after.get(entry.uuid) ?? []) : entry,
            );
            set = { ...set, entries: byUuid(entries) };
            return summaryOf(set.warnings, steps);
          }),
        );
      }),
    close: (): void => {
      for (const { disk } of set.entries.values()) disk.close();
    },
  };
};
