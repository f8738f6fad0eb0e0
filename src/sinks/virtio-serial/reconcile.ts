import type { KnownDomain } from '../../model/metric.ts';
import { identityOf } from './socket-identity.ts';
import { runOf } from './socket-discovery.ts';
import type { Paths } from './socket-discovery.ts';

/** A channel that is to be connected: one run of a domain with one path. */
export interface Wanted {
  readonly key: string;
  readonly domain: KnownDomain;
  readonly id: number;
  readonly path: string;
}

/** Which channels there are to be, and what is different from before. */
export interface Plan {
  readonly channels: ReadonlyMap<string, Wanted>;
  readonly added: readonly Wanted[];
  readonly removed: ReadonlySet<string>;
  /** Those that are too many, in the order in which they come next. */
  readonly over: readonly Wanted[];
  /** Those that name the socket of another one: whose metrics it would get cannot be known. */
  readonly shared: readonly Wanted[];
}

export const NOTHING: Plan = { channels: new Map(), added: [], removed: new Set(), over: [], shared: [] };

const known = new WeakMap<KnownDomain, Wanted>();

const wantedOf = (domain: KnownDomain, path: string | undefined): readonly Wanted[] => {
  const { id } = domain;
  if (id === undefined || path === undefined) return [];
  const before = known.get(domain);
  if (before?.path === path) return [before];
  const wanted = { key: `${runOf(domain)} ${path}`, domain, id, path };
  known.set(domain, wanted);
  return [wanted];
};

/** Those of which another one names the same socket, by whatever path. */
export const sharedOf = (all: readonly Wanted[]): ReadonlySet<Wanted> => {
  const users = new Map<string, Wanted[]>();
  for (const wanted of all) {
    const identity = identityOf(wanted.path);
    users.set(identity, [...(users.get(identity) ?? []), wanted]);
  }
  return new Set([...users.values()].filter(({ length }) => length > 1).flat());
};

/** Reconciles the channels with the domains that are known now; what is connected stays, new ones take free places. */
export const plan = (
  { channels: before }: Plan,
  domains: readonly KnownDomain[],
  found: Paths,
  maxChannels: number,
): Plan => {
  const paths = new Map([...before.values()].map(({ domain, path }) => [runOf(domain), path]));
  // While it is not known what the XML says, what is connected stays so.
  const unknown = (domain: KnownDomain): string | undefined =>
    (domain.channel === undefined ? paths.get(runOf(domain)) : undefined) ?? found.get(runOf(domain));
  const all = domains.flatMap((domain) => wantedOf(domain, domain.channel ?? unknown(domain)));
  const inConflict = sharedOf(all);
  const shared = all.filter((wanted) => inConflict.has(wanted));
  const alone = all.filter((wanted) => !inConflict.has(wanted));
  const [kept, fresh] = [alone.filter(({ key }) => before.has(key)), alone.filter(({ key }) => !before.has(key))];
  const added = fresh.slice(0, Math.max(0, maxChannels - kept.length));
  const channels = new Map([...kept, ...added].map((wanted) => [wanted.key, wanted]));
  const removed = new Set([...before.keys()].filter((key) => !channels.has(key)));
  return { channels, added, removed, over: fresh.slice(added.length), shared };
};
