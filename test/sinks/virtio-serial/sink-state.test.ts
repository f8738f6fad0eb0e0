import { describe, expect, it } from 'vitest';

import type { KnownDomain } from '../../../src/model/metric.ts';
import { EMPTY_SET, reconcile, type ChannelSet } from '../../../src/sinks/virtio-serial/reconcile.ts';
import {
  nextSinkState,
  NO_CHANNELS,
  shortOf,
  type SinkEvent,
  type SinkState,
} from '../../../src/sinks/virtio-serial/sink-state.ts';
import { OUT_OF_DESCRIPTORS } from '../../../src/sinks/virtio-serial/socket-path.ts';
import { domain, snapshotOf } from './qemu.ts';

const setOf = (...domains: readonly KnownDomain[]): ChannelSet => reconcile(EMPTY_SET, domains, new Map(), 10);
const both = setOf(domain(1, '/s/1'), domain(2, '/s/2'));
const [first, second] = [...both.channels.values()];
if (first === undefined || second === undefined) throw new Error('two channels');

const SNAPSHOT: SinkEvent = { snapshot: snapshotOf([]) };
const SET: SinkEvent = { channelSet: both };
const state = (channel: typeof first, connected: boolean, message?: string): SinkEvent => ({
  channel,
  state: message === undefined ? { connected } : { connected, message },
});
const after = (...events: readonly SinkEvent[]): SinkState => events.reduce(nextSinkState(10), NO_CHANNELS);
const messages = ({ reports }: SinkState): readonly string[] => reports.map(({ message }) => message);
const SHORT = `${OUT_OF_DESCRIPTORS} (EMFILE)`;

describe('the state of the virtio-serial sink', () => {
  it('counts the channels that are connected, with the trouble of the first that is not', () => {
    const troubled = [SET, state(first, false, 'is bad'), state(second, false, 'is worse')];
    expect(after(...troubled, SNAPSHOT).reports).toMatchObject([
      {
        message: '0 channels connected, 2 not',
        trouble: 'the channel of domain "vm1", "/s/1", is bad; 1 more not connected',
      },
    ]);
    const [report] = after(...troubled, state(first, true), SNAPSHOT).reports;
    expect(report).toMatchObject({
      message: '1 channel connected, 1 not',
      trouble: 'the channel of domain "vm2", "/s/2", is worse',
    });
  });

  it('keeps a trouble until the state of the channel changes, and reports it once', () => {
    const events = [SET, state(first, false, 'is bad')];
    expect(messages(after(...events))).toEqual(['The channel of domain "vm1", "/s/1", is bad']);
    expect(messages(after(...events, state(first, false)))).toEqual([]);
    expect(after(...events, state(first, false), SNAPSHOT).reports[0]).toHaveProperty('trouble');
  });

  it('forgets a channel that is to be no more', () => {
    const alone = setOf(domain(2, '/s/2'));
    const events = [SET, state(first, false, SHORT), state(second, true), { channelSet: alone }];
    expect(shortOf(after(...events))).toBe(0);
    expect(messages(after(...events, SNAPSHOT))).toEqual(['1 channel connected, 0 not']);
  });

  it('names the domain as it is called now', () => {
    const renamed = setOf({ ...domain(1, '/s/1'), name: 'new' });
    expect(messages(after(SET, { channelSet: renamed }, state(first, false, 'is bad')))).toEqual([
      'The channel of domain "new", "/s/1", is bad',
    ]);
  });

  it('counts the channels without a descriptor until they are well, with no message for each', () => {
    const short = [SET, state(first, false, SHORT), state(second, false, SHORT)];
    expect(messages(after(...short))).toEqual([]);
    expect(shortOf(after(...short))).toBe(2);
    // It is connected, but not yet reported as well.
    expect(shortOf(after(...short, state(first, true)))).toBe(2);
    const well = after(...short, state(first, true), state(first, true, 'is connected again'));
    expect([messages(well), shortOf(well)]).toEqual([[], 1]);
    const other = after(...short, state(first, false, 'is bad'));
    expect([messages(other), shortOf(other)]).toEqual([['The channel of domain "vm1", "/s/1", is bad'], 1]);
  });

  it('reports folders that cannot be read', () => {
    expect(messages(after({ unreadable: '/s: EACCES' }))[0]).toContain('cannot be read, so channels');
  });
});
