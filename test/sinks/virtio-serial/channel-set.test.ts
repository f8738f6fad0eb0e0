import { describe, expect, it } from 'vitest';

import type { Snapshot } from '../../../src/model/metric.ts';
import { domainRunKey } from '../../../src/model/metric.ts';
import { type Discovery, nextDiscovery, NOTHING_KNOWN } from '../../../src/sinks/virtio-serial/channel-set.ts';
import type { Found } from '../../../src/sinks/virtio-serial/socket-discovery.ts';
import { domain, snapshotOf } from './qemu.ts';

const after = (...events: readonly (Snapshot | Found)[]): Discovery => events.reduce(nextDiscovery(10), NOTHING_KNOWN);
const found = (...paths: readonly (readonly [id: number, path: string])[]): Found => ({
  paths: new Map(paths.map(([id, path]) => [domainRunKey(domain(id)), path])),
  unreadable: [],
});
const connects = ({ channelSet }: Discovery): readonly string[] =>
  [...channelSet.channels.values()].map(({ path }) => path);

const [one, two] = [domain(1), domain(2, '/s/2')];

describe('the discovery of channels', () => {
  it('looks for the sockets that no XML names, with every tick and when the domains are others', () => {
    const first = snapshotOf([one, two]);
    expect(after(first).pathless).toEqual([one]);
    expect(after(first, { ...first, cause: 'change' }).pathless).toEqual([]);
    expect(after(first, snapshotOf([one, two], { cause: 'change' })).pathless).toEqual([one]);
    expect(after(first, first).pathless).toEqual([one]);
  });

  it('plans with the found sockets, and stops looking for them', () => {
    const first = snapshotOf([one, two]);
    expect(connects(after(first))).toEqual(['/s/2']);
    expect(connects(after(first, found([1, '/s/1'])))).toEqual(['/s/2', '/s/1']);
    expect(after(first, found([1, '/s/1']), first).pathless).toEqual([]);
    // A socket that was not found is looked for at the next tick.
    const both = snapshotOf([one, domain(3)]);
    expect(after(both, found([1, '/s/1'])).pathless).toEqual([]);
    expect(after(both, found([1, '/s/1']), both).pathless).toEqual([domain(3)]);
  });

  it('looks for no socket of a domain that does not run', () => {
    const { id: _none, ...defined } = one;
    expect(after(snapshotOf([defined])).pathless).toEqual([]);
  });

  it('has the folders that could not be read in the latest search', () => {
    const failed = { ...found(), unreadable: ['/a: EACCES', '/b: EACCES'] };
    const first = snapshotOf([one]);
    expect(after(first, failed).unreadable).toBe('/a: EACCES; /b: EACCES');
    expect(after(first, failed, first).unreadable).toBe('/a: EACCES; /b: EACCES');
    expect(after(first, failed, found()).unreadable).toBe('');
  });

  it('forgets a found socket when the run of its domain has ended, also while it looks for it', () => {
    const first = snapshotOf([one, two]);
    const other = snapshotOf([two]);
    expect(after(first, found([1, '/s/1']), other).paths.size).toBe(0);
    expect(after(first, other, found([1, '/s/1'])).paths.size).toBe(0);
  });

  it('keeps the same set without changes, and its domains while libvirt is away', () => {
    const first = snapshotOf([one, two]);
    const { channelSet } = after(first);
    expect(after(first, { ...first, cause: 'change' }, found()).channelSet).not.toBe(channelSet);
    const next = nextDiscovery(10);
    const before = after(first);
    expect(next(before, { ...first, cause: 'change' }).channelSet).toBe(before.channelSet);
    expect(next(before, found()).channelSet).toBe(before.channelSet);
    expect(connects(next(before, snapshotOf(undefined)))).toEqual(['/s/2']);
  });
});
