import type { KnownDomain, Snapshot } from '../../model/metric.ts';
import { metricsXml } from '../../model/metrics-xml.ts';
import { causeOf } from '../../model/reason.ts';
import { escapeForLog } from '../../model/value.ts';
import { privateDisk } from './private-disk.ts';
import type { PrivateDisk, PrivateDiskOptions } from './private-disk.ts';
import { isUuid } from './private-paths.ts';
import type { PrivatePaths } from './private-paths.ts';
import { removeOrphan } from './orphans.ts';

/**
 * Milliseconds for which the disk of an ended domain stays: if the domain starts again at once, the hook has already
 * found the disk in place.
 */
const GRACE = 3000;
/** Milliseconds between two searches for orphans. */
const SWEEP = 60_000;

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

/** Work of a snapshot in steps, so that the event loop gets turns in between. */
export interface Updates {
  readonly keeping: readonly (() => void)[];
  /** Steps for orphans; to be called after the updates. */
  readonly strays: () => readonly (() => void)[];
  readonly round: UpdateSummary;
}

interface Entry {
  readonly uuid: string;
  readonly disk: PrivateDisk;
  /** Hostile text, for messages. */
  name: string;
  /** `adopted`: found on start, not reported by libvirt yet; `gone`: no longer reported. */
  role: 'adopted' | 'known' | 'gone';
  /** Time when it was gone, on the clock of the snapshots. */
  since: number;
  /** Reason why it cannot be removed, to report changes only. */
  stuck: string;
}

/** The set of private disks, which follows the domains that libvirt knows. */
export const privateDiskSet = (paths: PrivatePaths, options: PrivateDiskOptions) => {
  const entries = new Map<string, Entry>();
  /** Invalid UUIDs, each of which is reported once. */
  const refused = new Set<string>();
  let domains: readonly KnownDomain[] | undefined;
  let lastTick = -1;
  let swept = -Infinity;

  const add = (uuid: string, role: Entry['role']): Entry => {
    const entry: Entry = { uuid, disk: privateDisk(uuid, paths, options), name: uuid, role, since: 0, stuck: '' };
    entries.set(uuid, entry);
    return entry;
  };

  const reconcile = (now: readonly KnownDomain[], at: number): readonly string[] => {
    domains = now;
    const valid = now.filter(({ uuid }) => isUuid(uuid));
    for (const { uuid, name } of valid) {
      const entry = entries.get(uuid) ?? add(uuid, 'known');
      entry.role = 'known';
      entry.name = name;
    }
    const there = new Set(valid.map(({ uuid }) => uuid));
    for (const entry of entries.values()) {
      if (entry.role !== 'known' || there.has(entry.uuid)) continue;
      entry.role = 'gone';
      entry.since = at;
    }
    const wrong = now.map(({ uuid }) => uuid).filter((uuid) => !isUuid(uuid) && !refused.has(uuid));
    for (const uuid of wrong) refused.add(uuid);
    return wrong.map((uuid) => `"${escapeForLog(uuid, 64)}" is no UUID, so this domain gets no private disk`);
  };

  return {
    count: () => entries.size,
    /** Takes over the disk of a domain that libvirt may or may not report. */
    adopt: (uuid: string): void => {
      if (!add(uuid, 'adopted').disk.adopt()) entries.delete(uuid);
    },
    steps: (snapshot: Snapshot): Updates => {
      const { at } = snapshot;
      // A newer snapshot may have replaced a tick.
      const tick = snapshot.cause === 'tick' || snapshot.tick !== lastTick;
      lastTick = snapshot.tick;
      const xml = metricsXml(snapshot);
      const own = new Map(xml.domainMetrics.map((xmlOf) => [xmlOf.domain.uuid, xmlOf]));
      const round = { count: 0, changed: 0, failed: 0, removed: 0, bytes: 0, leftOut: 0, warnings: [] as string[] };
      if (snapshot.domains !== undefined && snapshot.domains !== domains)
        round.warnings.push(...reconcile(snapshot.domains, at));
      const warn = ({ name }: Entry, message: string): void =>
        void round.warnings.push(`Private disk of "${escapeForLog(name, 64)}": ${message}`);

      const keep = (entry: Entry): void => {
        const { state, bytes, leftOut, warnings } = entry.disk.keep(xml, own.get(entry.uuid), tick);
        for (const warning of warnings) warn(entry, warning);
        round.count += 1;
        if (state === 'changed') round.changed += 1;
        if (state === 'failed') round.failed += 1;
        round.bytes += bytes;
        round.leftOut += leftOut;
      };
      const remove = (entry: Entry): void => {
        try {
          if (entry.disk.remove()) round.removed += 1;
          entries.delete(entry.uuid);
        } catch (error) {
          const why = `${paths.pathOf(entry.uuid)} cannot be removed: ${causeOf(error)}; remove it by hand`;
          if (why !== entry.stuck) warn(entry, why);
          entry.stuck = why;
        }
      };
      const removeUnknown = (uuid: string): void => {
        if (!paths.isTrusted(uuid) || !removeOrphan(paths.pathOf(uuid))) return;
        paths.removeOwnFolder(uuid);
        round.removed += 1;
      };
      return {
        keeping: [...entries.values()].flatMap((entry) => {
          if (entry.role === 'known' || (entry.role === 'adopted' && domains === undefined)) return () => keep(entry);
          return entry.role === 'gone' && tick && at - entry.since >= GRACE ? () => remove(entry) : [];
        }),
        strays: () => {
          if (!tick || domains === undefined || at - swept < SWEEP) return [];
          swept = at;
          return paths.found().flatMap((uuid) => {
            const entry = entries.get(uuid);
            if (entry === undefined) return () => removeUnknown(uuid);
            return entry.role === 'adopted' && entry.disk.leftBehind() ? () => remove(entry) : [];
          });
        },
        round,
      };
    },
    close: (): void => {
      for (const { disk } of entries.values()) disk.close();
    },
  };
};
