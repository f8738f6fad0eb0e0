import type { Domain, KnownDomain, MetricDefinition, Reading, Snapshot } from '../model/metric.ts';
import { itemOf, itself, lookup, ofDomain, withChanges, without } from '../model/run-order.ts';
import type { Inventory } from './inventory.ts';
import { KEPT_PERIODS, type Values, values, type View } from './latest-values.ts';
import type { Batch } from './poll.ts';
import type { Trigger } from './trigger.ts';

/** Message that the first snapshot has waited long enough for its last value. */
export const OVERDUE = 'overdue';

/** Input of the state. */
export type Message = Trigger | Batch | typeof OVERDUE;

/** Cause of a snapshot that is due, and its time. */
export type Due = Pick<Snapshot, 'cause' | 'at'>;

/** What is known of a domain that runs. */
export interface Entry {
  readonly domain: Domain;
  readonly values: Values;
  /** True after its first collection, from which on it is published. */
  readonly published: boolean;
}

/** What has changed since the last snapshot was built. */
interface Changes {
  /** True if any value may be late now, or late no more. */
  all: boolean;
  readonly domains: Set<Domain>;
}

/** Everything received so far. Immutable except for `values` and `changes`, which consecutive states share. */
export interface State {
  readonly changes: Changes;
  readonly host: Values;
  readonly vmMetrics: readonly MetricDefinition[];
  /** Number of the latest tick. */
  readonly tick: number;
  readonly inventory: Inventory;
  /** Ticks, without skipped ones, since libvirt last had a statistic of any domain, or none was due. */
  readonly silent: number;
  /** Of the domains of the inventory, in their order. */
  readonly entries: readonly Entry[];
  /** Time of the tick whose snapshot will be the first. */
  readonly firstAt: number | undefined;
  readonly overdue: boolean;
  /** True if the first snapshot has been due. */
  readonly started: boolean;
  readonly due: Due | undefined;
}

export const initialState = (metrics: readonly MetricDefinition[]): State => ({
  changes: { all: true, domains: new Set() },
  host: values(metrics.filter(({ context }) => context === 'host')),
  vmMetrics: metrics.filter(({ context }) => context === 'vm'),
  tick: -1,
  inventory: { connected: false, heard: false, domains: [] },
  silent: 0,
  entries: [],
  firstAt: undefined,
  overdue: false,
  started: false,
  due: undefined,
});

/** Returns what is known of a run of a domain; undefined if it has ended. */
export const entryOf = ({ entries }: State, domain: Domain): Entry | undefined => itemOf(entries, ofDomain, domain);

const note = ({ changes }: State, changed: readonly Domain[]): void => {
  if (!changes.all) for (const domain of changed) changes.domains.add(domain);
};

const isNews = ({ known: before }: Inventory, { inventory: { known }, entries }: State): boolean => {
  if (known === undefined || known === before) return false;
  if (before === undefined || known.length < before.length) return true;
  // A new domain appears with its first values.
  const isPublished = (run: KnownDomain): boolean => itemOf(entries, ofDomain, run)?.published === true;
  return without(known, before, itself).some((domain) => domain.id === undefined || isPublished(domain));
};

const entriesAfter = (state: State, domains: readonly Domain[]): readonly Entry[] => {
  const { entries, inventory, vmMetrics } = state;
  const ended = without(inventory.domains, domains, itself);
  const started = without(domains, inventory.domains, itself).map((domain): Entry => {
    const entry = entryOf(state, domain);
    return entry === undefined ? { domain, values: values(vmMetrics), published: false } : { ...entry, domain };
  });
  note(state, [...ended, ...started.map(ofDomain)]);
  return withChanges(entries, ofDomain, ended, started);
};

// Domains that are still being collected follow in a later snapshot.
const withTrigger = (state: State, { cause, tick, at, inventory, due, gone }: Trigger): State => {
  const { connected, domains } = inventory;
  const isAsked = connected && state.inventory.connected && domains.length > 0;
  const ticks = cause === 'tick' ? 1 : 0;
  if (cause === 'tick') state.changes.all = true;
  const next: State = {
    ...state,
    tick,
    inventory,
    silent: isAsked ? state.silent + ticks : 0,
    entries: entriesAfter(state, domains),
  };
  const isDue = gone.size > 0 || (due.length === 0 && isNews(state.inventory, next));
  return { ...next, due: isDue ? { cause: 'change', at } : undefined };
};

/**
 * True while late values of domains are shown. If the host is overloaded or a domain hangs, an old value is better than
 * none. Without libvirt, or if it answers for no domain, it is unknown whether the domains still exist.
 */
export const keepsLate = ({ inventory: { connected }, silent, vmMetrics }: State): boolean => {
  // Shortest period of the statistics from libvirt.
  const askedEvery = Math.min(...vmMetrics.flatMap(({ source, every }) => (source.kind === 'stat' ? every : [])));
  return connected && silent < KEPT_PERIODS * askedEvery;
};

const valuesOf = (state: State, domain: Domain | undefined): Values | undefined =>
  domain === undefined ? state.host : entryOf(state, domain)?.values;

// Consecutive readings mostly have the same target.
const putAll = (state: State, readings: readonly Reading[], tick: number): void => {
  let of: Domain | undefined;
  let target: Values | undefined = state.host;
  for (const reading of readings) {
    const { domain } = reading;
    if (domain !== of) {
      target = valuesOf(state, domain);
      if (domain !== undefined) note(state, [domain]);
    }
    of = domain;
    target?.put(reading, tick);
  }
};

// A late value makes a snapshot due only if it changes something.
const withBatch = (state: State, { kind, trigger, readings }: Batch, now: number): State => {
  const viewsIn = (one: State): readonly (View | undefined)[] => {
    const keeps = keepsLate(one);
    return targets.map((target) => target?.view(one.tick, target === one.host || keeps));
  };
  const targets = kind === 'late' ? [...new Set(readings.map(({ domain }) => valuesOf(state, domain)))] : [];
  const before = viewsIn(state);
  putAll(state, readings, trigger.tick);
  const isHeard = readings.some(({ domain, metric }) => domain !== undefined && metric.source.kind === 'stat');
  const next = isHeard ? { ...state, silent: 0 } : state;
  if (kind === 'late') {
    const isDue = viewsIn(next).some((view, at) => view !== before[at]);
    return { ...next, due: isDue ? { cause: 'change', at: now } : undefined };
  }
  const entryAt = lookup(state.entries, ofDomain);
  const collected = trigger.due.flatMap((domain) => entryAt(domain) ?? []).filter(({ published }) => !published);
  note(state, collected.map(ofDomain));
  return {
    ...next,
    entries: withChanges(
      next.entries,
      ofDomain,
      collected.map(ofDomain),
      collected.map((entry) => ({ ...entry, published: true })),
    ),
    due: { cause: trigger.cause === 'tick' ? 'tick' : 'change', at: trigger.at },
  };
};

/** True if everything has been collected once, domains only while libvirt is available. */
const isComplete = ({ inventory: { heard, connected }, host, entries }: State): boolean =>
  heard &&
  host.isComplete() &&
  (!connected || entries.every(({ published, values: known }) => published && known.isComplete()));

const withMessage = (state: State, message: Message, now: number): State => {
  if (message === OVERDUE) return { ...state, overdue: true, due: undefined };
  if ('cause' in message) return withTrigger(state, message);
  const next = withBatch(state, message, now);
  return message.trigger.cause === 'tick' ? { ...next, firstAt: state.firstAt ?? message.trigger.at } : next;
};

/** Returns the state after a message. Nothing is due before the first snapshot, which is complete or overdue. */
export const nextState = (state: State, message: Message, now: number): State => {
  const next = withMessage(state, message, now);
  if (state.started) return next;
  const { firstAt, overdue } = next;
  if (firstAt === undefined || !(overdue || isComplete(next))) return { ...next, due: undefined };
  return { ...next, started: true, due: { cause: 'tick', at: firstAt } };
};
