import {
  type Domain,
  type DomainMetrics,
  type KnownDomain,
  type LateValue,
  type MetricDefinition,
  type MissingValue,
  type Reading,
  type Snapshot,
} from '../model/metric.ts';
import { KEPT_PERIODS, type Values, values, type View } from './latest-values.ts';
import type { Batch } from './poll.ts';
import type { Trigger } from './trigger.ts';

/** Message that the first snapshot has waited long enough for its last value. */
export const OVERDUE = 'overdue';

/** Input of the state. */
export type Message = Trigger | Batch | typeof OVERDUE;

/** Cause of a snapshot that is due, and its time. */
export type Due = Pick<Snapshot, 'cause' | 'at'>;

interface Entry {
  readonly domain: Domain;
  readonly values: Values;
  /** True after its first collection, from which on it is published. */
  readonly published: boolean;
}

/** Everything received so far. Immutable except for `values`, which consecutive states share. */
export interface State {
  readonly host: Values;
  readonly vmMetrics: readonly MetricDefinition[];
  /** Number of the latest tick. */
  readonly tick: number;
  readonly connected: boolean;
  /** True if libvirt has listed its domains, or is known to be away. */
  readonly heard: boolean;
  /** Ticks, without skipped ones, since libvirt last had a statistic of any domain, or none was due. */
  readonly silent: number;
  readonly known: readonly KnownDomain[] | undefined;
  /** Domains by UUID, ordered by id. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** Time of the tick whose snapshot will be the first. */
  readonly firstAt: number | undefined;
  readonly overdue: boolean;
  /** True if the first snapshot has been due. */
  readonly started: boolean;
  readonly due: Due | undefined;
}

export const initialState = (metrics: readonly MetricDefinition[]): State => ({
  host: values(metrics.filter(({ context }) => context === 'host')),
  vmMetrics: metrics.filter(({ context }) => context === 'vm'),
  tick: -1,
  connected: false,
  heard: false,
  silent: 0,
  known: undefined,
  entries: new Map(),
  firstAt: undefined,
  overdue: false,
  started: false,
  due: undefined,
});

const isSameRun = (entry: Entry | undefined, { id }: Domain): entry is Entry => entry?.domain.id === id;

const isNews = (before: readonly KnownDomain[] | undefined, { known, entries }: State): boolean => {
  if (known === undefined || known === before) return false;
  if (before === undefined || known.length < before.length) return true;
  const old = new Set(before);
  // A new domain appears with its first values.
  const isPublished = ({ uuid, id }: KnownDomain): boolean => id === undefined || entries.get(uuid)?.published === true;
  return known.some((domain) => !old.has(domain) && isPublished(domain));
};

// Domains that are still being collected follow in a later snapshot.
const withTrigger = (state: State, { cause, tick, at, inventory, due, gone }: Trigger): State => {
  const { connected, heard, domains, known } = inventory;
  const isAsked = connected && state.connected && domains.size > 0;
  const ticks = cause === 'tick' ? 1 : 0;
  const entryOf = (domain: Domain): Entry => {
    const entry = state.entries.get(domain.uuid);
    if (!isSameRun(entry, domain)) return { domain, values: values(state.vmMetrics), published: false };
    return entry.domain === domain ? entry : { ...entry, domain };
  };
  const byId = [...domains.values()].sort((a, b) => a.id - b.id);
  const next: State = {
    ...state,
    tick,
    connected,
    heard,
    silent: isAsked ? state.silent + ticks : 0,
    known,
    entries: new Map(byId.map((domain) => [domain.uuid, entryOf(domain)])),
  };
  const isDue = gone.size > 0 || (due.length === 0 && isNews(state.known, next));
  return { ...next, due: isDue ? { cause: 'change', at } : undefined };
};

// If the host is overloaded or a domain hangs, an old value is better than none. Without libvirt, or if it answers for
// no domain, it is unknown whether the domains still exist.
const keepsLate = ({ connected, silent, vmMetrics }: State): boolean => {
  // Shortest period of the statistics from libvirt.
  const askedEvery = Math.min(...vmMetrics.flatMap(({ source, every }) => (source.kind === 'stat' ? every : [])));
  return connected && silent < KEPT_PERIODS * askedEvery;
};

const valuesOf = ({ host, entries }: State, { domain }: Reading): Values | undefined => {
  if (domain === undefined) return host;
  const entry = entries.get(domain.uuid);
  return isSameRun(entry, domain) ? entry.values : undefined;
};

// A late value makes a snapshot due only if it changes something.
const withBatch = (state: State, { kind, trigger, readings }: Batch, now: number): State => {
  const viewsIn = (one: State): readonly (View | undefined)[] => {
    const keeps = keepsLate(one);
    return targets.map((target) => target?.view(one.tick, target === one.host || keeps));
  };
  const targets = kind === 'late' ? [...new Set(readings.map((reading) => valuesOf(state, reading)))] : [];
  const before = viewsIn(state);
  for (const reading of readings) valuesOf(state, reading)?.put(reading, trigger.tick);
  const isHeard = readings.some(({ domain, metric }) => domain !== undefined && metric.source.kind === 'stat');
  const next = isHeard ? { ...state, silent: 0 } : state;
  if (kind === 'late') {
    const isDue = viewsIn(next).some((view, at) => view !== before[at]);
    return { ...next, due: isDue ? { cause: 'change', at: now } : undefined };
  }
  const collected = trigger.due.flatMap((domain): readonly [string, Entry][] => {
    const entry = state.entries.get(domain.uuid);
    return isSameRun(entry, domain) && !entry.published ? [[domain.uuid, { ...entry, published: true }]] : [];
  });
  return {
    ...next,
    entries: collected.length === 0 ? next.entries : new Map([...next.entries, ...collected]),
    due: { cause: trigger.cause === 'tick' ? 'tick' : 'change', at: trigger.at },
  };
};

/** True if everything has been collected once, domains only while libvirt is available. */
const isComplete = ({ heard, host, connected, entries }: State): boolean =>
  heard &&
  host.isComplete() &&
  (!connected || [...entries.values()].every(({ published, values: known }) => published && known.isComplete()));

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

/** Builds the current snapshot. Unchanged parts keep their objects from the last one. */
export const snapshotOf = (state: State, { cause, at }: Due, before: Snapshot | undefined): Snapshot => {
  const { host, tick, entries, known } = state;
  const keeps = keepsLate(state);
  const shown = new Map(before?.domainMetrics.map((one) => [one.domain.uuid, one]));
  const hostView = host.view(tick, true);
  const domainMetrics: DomainMetrics[] = [];
  const missing: MissingValue[] = [...hostView.missing];
  const late: LateValue[] = [...hostView.late];
  for (const { domain, values: latest, published } of entries.values()) {
    if (!published) continue;
    const view = latest.view(tick, keeps);
    const { samples } = view;
    const old = shown.get(domain.uuid);
    const isSame = old?.domain === domain && old.samples === samples;
    if (samples.length > 0) domainMetrics.push(isSame ? old : { domain, samples });
    for (const problem of view.missing) missing.push({ ...problem, domain });
    for (const value of view.late) late.push({ ...value, domain });
  }
  return {
    cause,
    tick,
    at,
    host: hostView.samples,
    domainMetrics,
    missing,
    ...(late.length === 0 ? {} : { late }),
    ...(known === undefined ? {} : { domains: known }),
  };
};
