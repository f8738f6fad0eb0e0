import { describe, expect, it } from 'vitest';

import type { KnownDomain, Snapshot } from '../../../src/model/metric.ts';
import {
  adoptedEntry,
  byUuid,
  type DiskSet,
  nextDiskSet,
  NO_DISKS,
} from '../../../src/sinks/metrics-disk/disk-entries.ts';
import type { PrivateDisk } from '../../../src/sinks/metrics-disk/private-disk.ts';

const uuidOf = (id: number): string => `6be3fdb8-bef5-6fec-b1b7-00000000000${id}`;
const domain = (id: number, name = `vm${id}`): KnownDomain => ({ uuid: uuidOf(id), name, persistent: true });
const diskOf = (): PrivateDisk => ({
  adopt: () => true,
  keep: () => ({ state: 'as it was', bytes: 0, leftOut: 0, warnings: [] }),
  isStale: () => false,
  remove: () => true,
  close: () => undefined,
});

type At = Pick<Snapshot, 'cause' | 'tick' | 'at' | 'domains'>;
const tick = (at: number, ...domains: readonly KnownDomain[]): At => ({ cause: 'tick', tick: at, at, domains });
const after = (before: DiskSet, ...snapshots: readonly At[]): DiskSet =>
  snapshots.reduce((set, snapshot) => nextDiskSet(set, snapshot, diskOf), before);
/** Returns name and role of each disk. */
const roles = ({ entries }: DiskSet): readonly string[] =>
  [...entries.values()].map(({ name, role, goneAt }) => `${name} ${role}${role === 'gone' ? ` at ${goneAt}` : ''}`);

const ADOPTED: DiskSet = { ...NO_DISKS, entries: byUuid([adoptedEntry(uuidOf(1), diskOf())]) };

describe('the set of private disks', () => {
  it('has a disk for each domain, with its newest name, in the order in which they came', () => {
    const set = after(NO_DISKS, tick(1, domain(2)), tick(2, domain(1), domain(2, 'renamed')));
    expect(roles(set)).toEqual(['renamed known', 'vm1 known']);
    const { domains = [] } = set;
    expect(nextDiskSet(set, { cause: 'tick', tick: 3, at: 3, domains }, diskOf).entries).toBe(set.entries);
  });

  it('keeps the disk of a domain that goes, with the time, and takes it for the domain that comes back', () => {
    const first = after(NO_DISKS, tick(1, domain(1), domain(2)));
    const gone = after(first, tick(2, domain(2)), tick(3, domain(2)));
    expect(roles(gone)).toEqual(['vm1 gone at 2', 'vm2 known']);
    const back = after(gone, tick(4, domain(1), domain(2)));
    expect(roles(back)).toEqual(['vm1 known', 'vm2 known']);
    expect(back.entries.get(uuidOf(1))?.disk).toBe(first.entries.get(uuidOf(1))?.disk);
  });

  it('leaves an adopted disk unchanged until its domain is listed', () => {
    const { domains: _none, ...unknown } = tick(1);
    expect(roles(after(ADOPTED, unknown, tick(2, domain(2))))).toEqual([`${uuidOf(1)} adopted`, 'vm2 known']);
    expect(roles(after(ADOPTED, tick(2, domain(1))))).toEqual(['vm1 known']);
  });

  it('keeps the domains while libvirt is away', () => {
    const { domains: _none, ...unknown } = tick(2);
    expect(roles(after(NO_DISKS, tick(1, domain(1)), unknown))).toEqual(['vm1 known']);
  });

  it('has no disk for a domain without a valid UUID, and reports that once', () => {
    const hostile = { ...domain(1), uuid: '../\n' };
    const first = after(NO_DISKS, tick(1, hostile, domain(2)));
    expect(roles(first)).toEqual(['vm2 known']);
    expect(first.warnings).toEqual(['"../\\n" is no UUID, so this domain gets no private disk']);
    expect(after(first, tick(2, hostile)).warnings).toEqual([]);
  });

  it('takes the first snapshot after a tick for the tick, if that had to give way', () => {
    const change = (number: number): At => ({ cause: 'change', tick: number, at: number });
    expect(after(NO_DISKS, tick(1), change(1)).isTick).toBe(false);
    expect(after(NO_DISKS, tick(1), change(2)).isTick).toBe(true);
  });

  it('is swept once a minute, with a tick, when libvirt has been reached', () => {
    const { domains: _none, ...unknown } = tick(1);
    expect(after(NO_DISKS, unknown).isSweep).toBe(false);
    const first = after(NO_DISKS, tick(1));
    expect(first.isSweep).toBe(true);
    expect(after(first, tick(60_000)).isSweep).toBe(false);
    expect(after(first, { cause: 'change', tick: 1, at: 60_001 }).isSweep).toBe(false);
    expect(after(first, tick(60_000), tick(60_001)).isSweep).toBe(true);
    expect(after(first, tick(60_001), tick(60_002)).isSweep).toBe(false);
  });
});
