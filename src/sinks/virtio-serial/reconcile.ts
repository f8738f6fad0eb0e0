import { domainRunKey, type KnownDomain } from '../../model/metric.ts';
import { identityOf } from './socket-identity.ts';
import type { Paths } from './socket-discovery.ts';

/** A channel to connect: one run of a domain, with one path. */
export interface DesiredChannel {
  readonly key: string;
  readonly domain: KnownDomain;
  readonly id: number;
  readonly path: string;
}

/** The set of channels to connect. */
export interface ChannelSet {
  readonly channels: ReadonlyMap<string, DesiredChannel>;
  /** Channels beyond the limit, in the order in which they come next. */
  readonly over: readonly DesiredChannel[];
  /** Channels that share a socket, so that the reader of the metrics would be unknown. */
  readonly shared: readonly DesiredChannel[];
}

export const EMPTY_SET: ChannelSet = { channels: new Map(), over: [], shared: [] };

const known = new WeakMap<KnownDomain, DesiredChannel>();

const desiredOf = (domain: KnownDomain, path: string | undefined): readonly DesiredChannel[] => {
  const { id } = domain;
  if (id === undefined || path === undefined) return [];
  const before = known.get(domain);
  if (before?.path === path) return [before];
  const wanted = { key: `${domainRunKey(domain)} ${path}`, domain, id, path };
  known.set(domain, wanted);
  return [wanted];
};

/** Returns the channels whose socket another one also names, by any path. */
export const sharedOf = (all: readonly DesiredChannel[]): ReadonlySet<DesiredChannel> => {
  const users = new Map<string, DesiredChannel[]>();
  for (const wanted of all) {
    const identity = identityOf(wanted.path);
    users.set(identity, [...(users.get(identity) ?? []), wanted]);
  }
  return new Set([...users.values()].filter(({ length }) => length > 1).flat());
};

/** Reconciles the channels with the known domains: connected ones stay, new ones take free places. */
export const reconcile = (
  { channels: before }: ChannelSet,
  domains: readonly KnownDomain[],
  found: Paths,
  maxChannels: number,
): ChannelSet => {
  const paths = new Map([...before.values()].map(({ domain, path }) => [domainRunKey(domain), path]));
  // A connected channel stays until the XML is known.
  const unknown = (domain: KnownDomain): string | undefined =>
    (domain.channel === undefined ? paths.get(domainRunKey(domain)) : undefined) ?? found.get(domainRunKey(domain));
  const all = domains.flatMap((domain) => desiredOf(domain, domain.channel ?? unknown(domain)));
  const inConflict = sharedOf(all);
  const shared = all.filter((wanted) => inConflict.has(wanted));
  const alone = all.filter((wanted) => !inConflict.has(wanted));
  const [kept, fresh] = [alone.filter(({ key }) => before.has(key)), alone.filter(({ key }) => !before.has(key))];
  const added = fresh.slice(0, Math.max(0, maxChannels - kept.length));
  const channels = new Map([...kept, ...added].map((wanted) => [wanted.key, wanted]));
  return { channels, over: fresh.slice(added.length), shared };
};
