import { formatCount } from '../../model/count.ts';
import type { SinkReport } from '../sink.ts';
import { quoted } from './socket-path.ts';
import type { ChannelSet, DesiredChannel } from './reconcile.ts';

const warning = (message: string): SinkReport => ({ kind: 'warning', message });

/** Makes a warning about one channel. `message` follows its path. */
export const channelWarning = ({ domain, path }: DesiredChannel, message: string): SinkReport =>
  warning(`The channel of domain ${quoted(domain.name)}, ${quoted(path)}, ${message}`);

/** Formats the number of connected channels. */
export const connectedOf = (connected: number, { channels, over, shared }: ChannelSet): string =>
  `${formatCount(connected)} ${connected === 1 ? 'channel' : 'channels'} connected, ${formatCount(channels.size + over.length + shared.length - connected)} not`;

/** Describes the failure of the first of these channels, and the number of others. */
export const troubleOf = (
  { channels }: ChannelSet,
  troubles: readonly (readonly [key: string, trouble: string])[],
): { readonly trouble?: string } => {
  const [first] = troubles;
  const channel = first && channels.get(first[0]);
  if (first === undefined || channel === undefined) return {};
  const { domain, path } = channel;
  const others = troubles.length > 1 ? `; ${formatCount(troubles.length - 1)} more not connected` : '';
  return { trouble: `the channel of domain ${quoted(domain.name)}, ${quoted(path)}, ${first[1]}${others}` };
};

const overflow = (over: readonly DesiredChannel[], maxChannels: number): readonly SinkReport[] =>
  over.slice(0, 1).map((wanted) => {
    const more = over.length - 1;
    const those = more === 1 ? 'that of 1 more domain' : `those of ${formatCount(more)} more domains`;
    const others = more > 0 ? `, like ${those}` : '';
    const why = `<max_channels> allows ${formatCount(maxChannels)} only; raise it`;
    return channelWarning(wanted, `is not connected${others}: ${why}`);
  });

/** Makes warnings about a new set: channels beyond the limit, and shared sockets. */
export const channelSetWarnings = (
  before: ChannelSet,
  { over, shared }: ChannelSet,
  maxChannels: number,
): readonly SinkReport[] => {
  const known = new Set(before.shared.map(({ key }) => key));
  const other = 'is not connected: another domain names the same socket; give each channel a path of its own';
  return [
    ...(before.over.length === 0 ? overflow(over, maxChannels) : []),
    ...(before.over.length > 0 && over.length === 0
      ? [warning('No channel is excluded by <max_channels> any longer')]
      : []),
    ...shared.filter(({ key }) => !known.has(key)).map((wanted) => channelWarning(wanted, other)),
  ];
};
