import type { Snapshot } from '../../model/metric.ts';
import type { SinkReport } from '../sink.ts';
import type { ChannelState } from './channel.ts';
import type { ChannelSetChange } from './channel-set.ts';
import { EMPTY_SET } from './reconcile.ts';
import type { ChannelSet, DesiredChannel } from './reconcile.ts';
import { isShortage } from './socket-path.ts';
import { channelSetWarnings, channelWarning, connectedOf, troubleOf } from './warnings.ts';

export type SinkEvent =
  | { readonly snapshot: Snapshot }
  | ChannelSetChange
  | { readonly channel: DesiredChannel; readonly state: ChannelState };

interface ChannelStatus {
  readonly connected: boolean;
  /** Text that follows the path of the channel. */
  readonly trouble: string | undefined;
  /** True from a lack of descriptors until the channel is connected. */
  readonly isShort: boolean;
}

/** State of the sink, and its reports about the latest event. */
export interface SinkState {
  readonly channelSet: ChannelSet;
  /** Statuses by the key of the channel. */
  readonly statuses: ReadonlyMap<string, ChannelStatus>;
  readonly reports: readonly SinkReport[];
}

export const NO_CHANNELS: SinkState = { channelSet: EMPTY_SET, statuses: new Map(), reports: [] };

/** Returns the number of channels that lack a descriptor. */
export const shortOf = ({ statuses }: SinkState): number =>
  [...statuses.values()].filter(({ isShort }) => isShort).length;

const written = ({ channelSet, statuses }: SinkState, snapshot: Snapshot): SinkReport => ({
  kind: 'written',
  snapshot,
  message: connectedOf([...statuses.values()].filter(({ connected }) => connected).length, channelSet),
  ...troubleOf(
    channelSet,
    [...statuses].flatMap(([key, { trouble }]) => (trouble === undefined ? [] : [[key, trouble]])),
  ),
});

const unreadableWarning = (unreadable: string): SinkReport => ({
  kind: 'warning',
  message: `The <channel_path> cannot be read, so channels that the XML of their domain does not name are not found: ${unreadable}`,
});

const withChannelSet = (before: SinkState, channelSet: ChannelSet, maxChannels: number): SinkState => ({
  channelSet,
  statuses: new Map([...before.statuses].filter(([key]) => channelSet.channels.has(key))),
  reports: channelSetWarnings(before.channelSet, channelSet, maxChannels),
});

const withChannel = (before: SinkState, channel: DesiredChannel, { connected, message }: ChannelState): SinkState => {
  const { key } = channel;
  const status = before.statuses.get(key) ?? { connected: false, trouble: undefined, isShort: false };
  if (message === undefined && connected === status.connected) return { ...before, reports: [] };
  const isShort = message === undefined ? status.isShort : isShortage(message);
  const trouble = connected ? undefined : message;
  // A shortage and its end have one message for all channels.
  const isSilent = message === undefined || isShort || (status.isShort && connected);
  return {
    ...before,
    statuses: new Map(before.statuses).set(key, { connected, trouble, isShort }),
    // The domain may have been renamed.
    reports: isSilent ? [] : [channelWarning(before.channelSet.channels.get(key) ?? channel, message)],
  };
};

/** Returns the state after an event. */
export const nextSinkState =
  (maxChannels: number) =>
  (before: SinkState, event: SinkEvent): SinkState => {
    if ('snapshot' in event) return { ...before, reports: [written(before, event.snapshot)] };
    if ('unreadable' in event) return { ...before, reports: [unreadableWarning(event.unreadable)] };
    if ('channelSet' in event) return withChannelSet(before, event.channelSet, maxChannels);
    return withChannel(before, event.channel, event.state);
  };
