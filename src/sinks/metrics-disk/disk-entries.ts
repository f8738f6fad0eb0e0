import type { KnownDomain, Snapshot } from '../../model/metric.ts';
import { escapeForLog } from '../../model/value.ts';
import type { PrivateDisk } from './private-disk.ts';
import { isUuid } from './private-paths.ts';

/** Milliseconds between two searches for orphans. */
const SWEEP_INTERVAL_MS = 60_000;

/** A private disk and its domain. */
export interface Entry {
  readonly uuid: string;
  readonly disk: PrivateDisk;
  /** Hostile text, for messages. */
  readonly name: string;
  /** `adopted`: found on start, not reported by libvirt yet; `gone`: no longer reported. */
  readonly role: 'adopted' | 'known' | 'gone';
  /** Time when it was gone, on the clock of the snapshots. */
  readonly goneAt: number;
  /** Reason why it cannot be removed, to report changes only. */
  readonly stuck: string;
}

export const adoptedEntry = (uuid: string, disk: PrivateDisk): Entry => ({
  uuid,
  disk,
  name: uuid,
  role: 'adopted',
  goneAt: Infinity,
  stuck: '',
});

/** All private disks, and the wanted state of the latest snapshot. */
export interface DiskSet {
  /** By UUID. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** Undefined until libvirt has been reached. */
  readonly domains: readonly KnownDomain[] | undefined;
  /** Invalid UUIDs, each of which is reported once. */
  readonly refused: ReadonlySet<string>;
  readonly tick: number;
  readonly sweptAt: number;
  readonly isTick: boolean;
  readonly isSweep: boolean;
  readonly warnings: readonly string[];
}

export const NO_DISKS: DiskSet = {
  entries: new Map(),
  domains: undefined,
  refused: new Set(),
  tick: -1,
  sweptAt: -Infinity,
  isTick: false,
  isSweep: false,
  warnings: [],
};

export const byUuid = (entries: readonly Entry[]): ReadonlyMap<string, Entry> =>
  new Map(entries.map((entry) => [entry.uuid, entry]));

const reconcile = (
  before: DiskSet,
  domains: readonly KnownDomain[],
  at: number,
  diskOf: (uuid: string) => PrivateDisk,
): Pick<DiskSet, 'entries' | 'refused' | 'warnings'> => {
  const names = new Map(domains.map(({ uuid, name }) => [uuid, name]));
  const kept = [...before.entries.values()].map((entry): Entry => {
    const name = names.get(entry.uuid);
    if (name !== undefined) return { ...entry, name, role: 'known' };
    return entry.role === 'known' ? { ...entry, role: 'gone', goneAt: at } : entry;
  });
  const added = [...names]
    .filter(([uuid]) => isUuid(uuid) && !before.entries.has(uuid))
    .map(([uuid, name]): Entry => ({ ...adoptedEntry(uuid, diskOf(uuid)), name, role: 'known' }));
  const refused = [...names.keys()].filter((uuid) => !isUuid(uuid) && !before.refused.has(uuid));
  return {
    entries: byUuid([...kept, ...added]),
    refused: new Set([...before.refused, ...refused]),
    warnings: refused.map((uuid) => `"${escapeForLog(uuid, 64)}" is no UUID, so this domain gets no private disk`),
  };
};

/** Follows a snapshot: each of its domains gets a disk. `diskOf` makes a disk and opens nothing. */
export const nextDiskSet = (
  before: DiskSet,
  { cause, tick, at, domains = before.domains }: Pick<Snapshot, 'cause' | 'tick' | 'at' | 'domains'>,
  diskOf: (uuid: string) => PrivateDisk,
): DiskSet => {
  // A newer snapshot may have replaced a tick.
  const isTick = cause === 'tick' || tick !== before.tick;
  const isSweep = isTick && domains !== undefined && at - before.sweptAt >= SWEEP_INTERVAL_MS;
  const isSame = domains === undefined || domains === before.domains;
  return {
    ...before,
    warnings: [],
    ...(isSame ? {} : reconcile(before, domains, at, diskOf)),
    domains,
    tick,
    sweptAt: isSweep ? at : before.sweptAt,
    isTick,
    isSweep,
  };
};
