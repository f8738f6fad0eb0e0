import { defer, filter, map, merge, type Observable, type SchedulerLike, throttleTime } from 'rxjs';

import type { Domain, DomainEvent, KnownDomain } from '../model/metric.ts';

/** Which domains run. While libvirt is away, `domains` are those that ran before. */
export interface Inventory {
  readonly connected: boolean;
  /** Libvirt has listed its domains, or is known to be away. */
  readonly heard: boolean;
  readonly domains: ReadonlyMap<string, Domain>;
  /** Those that run and those that are defined, as sinks see them; the same object as before if nothing changed. */
  readonly known?: readonly KnownDomain[];
}

/** After a change is passed on, further ones wait this long and are passed on together. */
export const COALESCE = 50;

interface State {
  connected: boolean;
  heard: boolean;
  readonly domains: Map<string, Domain>;
  /** Domains for which `running` is news: they may have been paused. */
  readonly resumable: Set<string>;
  /** Names of the domains with a persistent definition. */
  readonly defined: Map<string, string>;
  /** Sockets; null for domains that have none. */
  readonly channels: Map<string, string | null>;
  known: readonly KnownDomain[] | undefined;
}

const same = (a: Domain | undefined, b: Domain): boolean => a?.id === b.id && a.name === b.name;

/** Sets, or with undefined deletes, what a map has for a key; false if it has that already. */
const put = <T>(map: Map<string, T>, key: string, value: T | undefined): boolean => {
  if (map.get(key) === value) return false;
  if (value === undefined) map.delete(key);
  else map.set(key, value);
  return true;
};

const sameEntries = <T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);

/** Applies one event; false if it changes nothing. */
const apply = (state: State, event: DomainEvent): boolean => {
  const { domains, resumable, defined, channels } = state;
  state.heard = true;
  switch (event.kind) {
    case 'sync': {
      const before = new Map(domains);
      const channelsBefore = new Map(channels);
      const definedBefore = new Map(defined);
      // While events are reported a list is compared only; after a time without, each domain may have changed.
      const compared = state.connected;
      state.connected = true;
      for (const map of [domains, defined, channels]) map.clear();
      for (const domain of event.domains) {
        const { uuid } = domain;
        const old = before.get(uuid);
        const stays = compared && old !== undefined && same(old, domain);
        domains.set(uuid, stays ? old : domain);
        if (!stays) resumable.add(uuid);
        // Until it has been asked for anew: a connection to it need not be given up.
        if (!compared || old?.id === domain.id) put(channels, uuid, channelsBefore.get(uuid));
      }
      for (const { uuid, name } of event.defined ?? []) defined.set(uuid, name);
      for (const uuid of resumable) if (!domains.has(uuid)) resumable.delete(uuid);
      return !compared || !sameEntries(before, domains) || !sameEntries(definedBefore, defined);
    }
    case 'running': {
      const { domain } = event;
      const before = domains.get(domain.uuid);
      if (same(before, domain) && !resumable.has(domain.uuid)) return false;
      if (before?.id !== domain.id) channels.delete(domain.uuid);
      resumable.delete(domain.uuid);
      domains.set(domain.uuid, domain);
      return true;
    }
    case 'paused':
      resumable.add(event.uuid);
      return false;
    case 'gone':
      resumable.delete(event.uuid);
      channels.delete(event.uuid);
      return domains.delete(event.uuid);
    case 'defined':
      return put(defined, event.uuid, event.name);
    case 'undefined':
      return put(defined, event.uuid, undefined);
    case 'channel':
      return domains.has(event.uuid) && put(channels, event.uuid, event.path ?? null);
    case 'lost': {
      const changed = state.connected;
      state.connected = false;
      return changed;
    }
  }
};

const known = ({ domains, defined, channels }: State): readonly KnownDomain[] => [
  ...[...domains.values()].map(({ uuid, id, name }): KnownDomain => {
    const channel = channels.get(uuid);
    return { uuid, id, name, persistent: defined.has(uuid), ...(channel === undefined ? {} : { channel }) };
  }),
  ...[...defined]
    .filter(([uuid]) => !domains.has(uuid))
    .map(([uuid, name]): KnownDomain => ({ uuid, name, persistent: true })),
];

const knownOf = ({ known: all }: State): Pick<Inventory, 'known'> => (all === undefined ? {} : { known: all });

const sameKnown = (one: KnownDomain, other: KnownDomain): boolean =>
  one.id === other.id &&
  one.name === other.name &&
  one.persistent === other.persistent &&
  one.channel === other.channel;

/** Brings `known` up to date, once libvirt has been reached; what did not change stays the same object. */
const refresh = (state: State): void => {
  if (!state.connected && state.known === undefined) return;
  const before = state.known ?? [];
  const byUuid = new Map(before.map((domain) => [domain.uuid, domain]));
  const now = known(state).map((domain) => {
    const old = byUuid.get(domain.uuid);
    return old !== undefined && sameKnown(domain, old) ? old : domain;
  });
  const same = state.known !== undefined && now.length === before.length && now.every((one, at) => one === before[at]);
  if (!same) state.known = now;
};

/**
 * The inventory at once after the first event, then at most every 50 ms, the last state always: of a domain that
 * starts and stops in between nothing is seen. Besides that, as it then is, with whatever `look$` emits. A domain that
 * starts, resumes or is listed anew is a new object.
 */
export const inventory$ = <T>(
  event$: Observable<DomainEvent>,
  look$: Observable<T>,
  scheduler: SchedulerLike,
): Observable<{ readonly inventory: Inventory; readonly look: T | undefined }> =>
  defer(() => {
    // Copied once per emission, not once per event: a storm over thousands of domains stays cheap.
    const state: State = {
      connected: false,
      heard: false,
      domains: new Map(),
      resumable: new Set(),
      defined: new Map(),
      channels: new Map(),
      known: undefined,
    };
    let changed = false;
    const change$ = event$.pipe(
      filter((event, index) => {
        const news = apply(state, event);
        changed ||= news;
        return news || index === 0;
      }),
      throttleTime(COALESCE, scheduler, { leading: true, trailing: true }),
      map(() => undefined),
    );
    return merge(change$, look$).pipe(
      map((look) => {
        if (changed) refresh(state);
        changed = false;
        const { connected, heard, domains } = state;
        return { inventory: { connected, heard, domains: new Map(domains), ...knownOf(state) }, look };
      }),
    );
  });
