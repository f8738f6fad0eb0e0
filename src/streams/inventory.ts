import { defer, filter, map, merge, type Observable, type SchedulerLike, throttleTime } from 'rxjs';

import type { Domain, DomainEvent, KnownDomain } from '../model/metric.ts';
import { itemOf, itself, type Run, withChanges } from '../model/run-order.ts';

/** The running domains. While libvirt is away, `domains` are those that ran before. */
export interface Inventory {
  readonly connected: boolean;
  /** True if libvirt has listed its domains, or is known to be away. */
  readonly heard: boolean;
  /** By id; the same object as before if nothing changed. */
  readonly domains: readonly Domain[];
  /** Running and defined domains, for sinks; order and object as for `domains`. */
  readonly known?: readonly KnownDomain[];
}

/** Milliseconds after an emitted change in which further changes are collected into one. */
export const COALESCE = 50;

interface State {
  connected: boolean;
  heard: boolean;
  readonly domains: Map<string, Domain>;
  /** Domains that may have been paused, for which `running` is a change. */
  readonly resumable: Set<string>;
  /** Names of the domains with a persistent definition. */
  readonly defined: Map<string, string>;
  /** Sockets of channels; null for domains without a channel. */
  readonly channels: Map<string, string | null>;
  /** UUIDs for which the fields below are behind those above. */
  readonly touched: Set<string>;
  readonly shown: Map<string, KnownDomain>;
  running: readonly Domain[];
  known: readonly KnownDomain[];
  /** True if libvirt has been reached. */
  reached: boolean;
}

const same = (a: Domain | undefined, b: Domain): boolean => a?.id === b.id && a.name === b.name;

/** Sets a key of a map, or deletes it if `value` is undefined; false if that changes nothing. */
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
  const { domains, resumable, defined, channels, touched } = state;
  state.heard = true;
  if ('uuid' in event) touched.add(event.uuid);
  switch (event.kind) {
    case 'sync': {
      const before = new Map(domains);
      const channelsBefore = new Map(channels);
      const definedBefore = new Map(defined);
      // While libvirt is connected a list only confirms the events; after a reconnect any domain may have changed.
      const compared = state.connected;
      state.connected = true;
      for (const map of [domains, defined, channels]) {
        for (const uuid of map.keys()) touched.add(uuid);
        map.clear();
      }
      for (const domain of event.domains) {
        const { uuid } = domain;
        const old = before.get(uuid);
        const stays = compared && old !== undefined && same(old, domain);
        domains.set(uuid, stays ? old : domain);
        touched.add(uuid);
        if (!stays) resumable.add(uuid);
        // Kept until the XML has been read again, so that the connection to it can stay.
        if (!compared || old?.id === domain.id) put(channels, uuid, channelsBefore.get(uuid));
      }
      for (const { uuid, name } of event.defined ?? []) {
        touched.add(uuid);
        defined.set(uuid, name);
      }
      for (const uuid of resumable) if (!domains.has(uuid)) resumable.delete(uuid);
      return !compared || !sameEntries(before, domains) || !sameEntries(definedBefore, defined);
    }
    case 'running': {
      const { domain } = event;
      const before = domains.get(domain.uuid);
      touched.add(domain.uuid);
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

/** Returns what is known of a domain; undefined if it neither runs nor is defined. */
const knownOf = ({ domains, defined, channels }: State, uuid: string): KnownDomain | undefined => {
  const running = domains.get(uuid);
  const name = defined.get(uuid);
  if (running === undefined) return name === undefined ? undefined : { uuid, name, persistent: true };
  const channel = channels.get(uuid);
  return {
    uuid,
    id: running.id,
    name: running.name,
    persistent: name !== undefined,
    ...(channel === undefined ? {} : { channel }),
  };
};

const sameKnown = (one: KnownDomain | undefined, other: KnownDomain | undefined): boolean =>
  one?.id === other?.id &&
  one?.name === other?.name &&
  one?.persistent === other?.persistent &&
  one?.channel === other?.channel;

/** Updates both lists by the touched domains only: one of ten thousand may have changed. */
const refresh = (state: State): void => {
  const { touched, shown, domains, running } = state;
  const started: Domain[] = [];
  const ended: Run[] = [];
  const added: KnownDomain[] = [];
  const removed: KnownDomain[] = [];
  for (const uuid of touched) {
    const before = shown.get(uuid);
    const now = knownOf(state, uuid);
    const domain = domains.get(uuid);
    const old = before && itemOf(running, itself, before);
    if (old !== undefined && old !== domain) ended.push(old);
    if (domain !== undefined && old !== domain) started.push(domain);
    if (sameKnown(before, now)) continue;
    if (before !== undefined) removed.push(before);
    if (now === undefined) shown.delete(uuid);
    else {
      added.push(now);
      shown.set(uuid, now);
    }
  }
  touched.clear();
  state.running = withChanges(running, itself, ended, started);
  state.known = withChanges(state.known, itself, removed, added);
  state.reached ||= state.connected;
};

/**
 * Emits the inventory at once after the first event, then at most every 50 ms, and always the last state: a domain that
 * starts and stops in between does not appear. Also emits it with each value of `look$`. A domain that starts, resumes
 * or is listed after a reconnect is a new object.
 */
export const inventory$ = <T>(
  event$: Observable<DomainEvent>,
  look$: Observable<T>,
  scheduler: SchedulerLike,
): Observable<{ readonly inventory: Inventory; readonly look: T | undefined }> =>
  defer(() => {
    // Mutable, and copied once per emission instead of once per event, because storms cover thousands of domains.
    const state: State = {
      connected: false,
      heard: false,
      domains: new Map(),
      resumable: new Set(),
      defined: new Map(),
      channels: new Map(),
      touched: new Set(),
      shown: new Map(),
      running: [],
      known: [],
      reached: false,
    };
    const change$ = event$.pipe(
      filter((event, index) => apply(state, event) || index === 0),
      throttleTime(COALESCE, scheduler, { leading: true, trailing: true }),
      map(() => undefined),
    );
    return merge(change$, look$).pipe(
      map((look) => {
        refresh(state);
        const { connected, heard, running, known, reached } = state;
        return { inventory: { connected, heard, domains: running, ...(reached ? { known } : {}) }, look };
      }),
    );
  });
