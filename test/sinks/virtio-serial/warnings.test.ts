import { describe, expect, it } from 'vitest';

import { EMPTY_SET, reconcile } from '../../../src/sinks/virtio-serial/reconcile.ts';
import type { ChannelSet } from '../../../src/sinks/virtio-serial/reconcile.ts';
import { channelSetWarnings, connectedOf, troubleOf } from '../../../src/sinks/virtio-serial/warnings.ts';
import { domain } from './qemu.ts';

const setOf = (maxChannels: number, ...paths: readonly string[]): ChannelSet =>
  reconcile(
    EMPTY_SET,
    paths.map((path, index) => domain(index + 1, path)),
    new Map(),
    maxChannels,
  );
const messages = (before: ChannelSet, after: ChannelSet): readonly string[] =>
  channelSetWarnings(before, after, 1000).map(({ message }) => message);
const PATHS = ['/none/1', '/none/2', '/none/3'] as const;
const SHARED = 'is not connected: another domain names the same socket; give each channel a path of its own';

describe('the messages of channels', () => {
  it('count the channels that are connected, and all others', () => {
    const set = setOf(1, ...PATHS, '/none/x', '/none/x');
    expect(connectedOf(0, set)).toBe('0 channels connected, 5 not');
    expect(connectedOf(1, set)).toBe('1 channel connected, 4 not');
    expect(connectedOf(1000, EMPTY_SET)).toContain('1,000 channels connected');
  });

  it('name the first channel that fails, and count the others', () => {
    const set = setOf(9, ...PATHS);
    const troubles = [...set.channels.keys()].map((key) => [key, 'is bad'] as const);
    expect(troubleOf(set, [])).toEqual({});
    expect(troubleOf(EMPTY_SET, troubles)).toEqual({});
    expect(troubleOf(set, troubles.slice(0, 1))).toEqual({ trouble: 'the channel of domain "vm1", "/none/1", is bad' });
    expect(troubleOf(set, troubles)).toEqual({
      trouble: 'the channel of domain "vm1", "/none/1", is bad; 2 more not connected',
    });
  });

  it('report that there are too many channels when that begins, with their number, and when it ends', () => {
    const [all, some, few, none] = [setOf(9, ...PATHS), setOf(2, ...PATHS), setOf(1, ...PATHS), setOf(0, ...PATHS)];
    expect(messages(all, some)).toEqual([
      'The channel of domain "vm3", "/none/3", is not connected: <max_channels> allows 1,000 only; raise it',
    ]);
    expect(messages(all, few)).toEqual([
      'The channel of domain "vm2", "/none/2", is not connected, like that of 1 more domain: <max_channels> allows 1,000 only; raise it',
    ]);
    expect(messages(all, none)).toEqual([
      'The channel of domain "vm1", "/none/1", is not connected, like those of 2 more domains: <max_channels> allows 1,000 only; raise it',
    ]);
    expect(messages(some, few)).toEqual([]);
    expect(messages(few, some)).toEqual([]);
    expect(messages(some, all)).toEqual(['No channel is excluded by <max_channels> any longer']);
    expect(messages(all, all)).toEqual([]);
  });

  it('report each channel that shares its socket once', () => {
    const [one, two] = [setOf(9, '/none/1', '/none/1'), setOf(9, '/none/1', '/none/1', '/none/1')];
    expect(messages(EMPTY_SET, one)).toEqual([
      `The channel of domain "vm1", "/none/1", ${SHARED}`,
      `The channel of domain "vm2", "/none/1", ${SHARED}`,
    ]);
    expect(messages(one, two)).toEqual([`The channel of domain "vm3", "/none/1", ${SHARED}`]);
    expect(messages(one, one)).toEqual([]);
  });
});
