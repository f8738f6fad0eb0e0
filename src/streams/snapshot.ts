import {
  connect,
  defer,
  filter,
  map,
  merge,
  type Observable,
  type OperatorFunction,
  type SchedulerLike,
  throttleTime,
  timer,
} from 'rxjs';

import {
  domainRunKey,
  type Domain,
  type DomainMetrics,
  type KnownDomain,
  type LateValue,
  type MetricDefinition,
  type MissingValue,
  type Reading,
  type Snapshot,
} from '../model/metric.ts';
import type { Sources } from '../sources/source.ts';
import { COALESCE } from './inventory.ts';
import { type Batch, poll } from './poll.ts';
import { type Trigger, trigger$ } from './trigger.ts';
import { KEPT_PERIODS, type Values, values, type View } from './latest-values.ts';

/** How long a snapshot waits for its last value, in milliseconds. */
export interface Patience {
  /** Of a tick, or for a domain that has started. */
  readonly patience: number;
  /** The first one, from the start. */
  readonly start: number;
}

/** A tick waits 1 s at most, or half a period if that is less; the first snapshot waits 5 s at most. */
export const patienceOf = (period: number): Patience => ({ patience: Math.min(1000, period / 2), start: 5000 });

interface DomainEntry {
  domain: Domain;
  readonly values: Values;
  /** Its first collection has come to an end: from now on it is shown. */
  published: boolean;
  view?: View;
  metrics?: DomainMetrics;
}

/** Why a snapshot may be due now. */
interface Due {
  readonly cause: Snapshot['cause'];
  readonly at: number;
  readonly take: () => Snapshot;
}

// What is known of everything, and what has been seen of it: the one place of the streams that changes with time.
const snapshotStore = (metrics: readonly MetricDefinition[]) => {
  const ofContext = (context: 'host' | 'vm') => metrics.filter((metric) => metric.context === context);
  const vmMetrics = ofContext('vm');
  const host = values(ofContext('host'));
  const entries = new Map<string, DomainEntry>();
  // Of libvirt's statistics those that are asked for most often.
  const askedEvery = Math.min(...vmMetrics.flatMap(({ source, every }) => (source.kind === 'stat' ? every : [])));
  let connected = false;
  // Libvirt has listed its domains, or is known to be away.
  let isHeard = false;
  // Ticks, without those that were skipped, since libvirt last gave a statistic of any domain, or was not asked for one.
  let silent = 0;
  let order: readonly DomainEntry[] = [];
  let known: readonly KnownDomain[] | undefined;
  let tick = -1;

  // A domain that has just started is told with its first values.
  const isPublished = ({ uuid, id }: KnownDomain): boolean => id === undefined || entries.get(uuid)?.published === true;
  const follow = (now: readonly KnownDomain[] | undefined): boolean => {
    const before = known;
    known = now;
    if (now === undefined || now === before) return false;
    if (before === undefined || now.length < before.length) return true;
    const old = new Set(before);
    return now.some((domain) => !old.has(domain) && isPublished(domain));
  };

  /** True if a snapshot is due now. Domains still being collected follow in their own. */
  const onTrigger = ({ cause, tick: current, inventory, due, gone }: Trigger): boolean => {
    if (cause === 'tick') silent += 1;
    if (!inventory.connected || !connected || inventory.domains.size === 0) silent = 0;
    ({ connected, heard: isHeard } = inventory);
    tick = current;
    for (const [uuid, { domain }] of entries) if (gone.has(domainRunKey(domain))) entries.delete(uuid);
    for (const domain of inventory.domains.values()) {
      const entry = entries.get(domain.uuid);
      if (entry === undefined) entries.set(domain.uuid, { domain, values: values(vmMetrics), published: false });
      else entry.domain = domain;
    }
    order = [...entries.values()].sort((a, b) => a.domain.id - b.domain.id);
    const news = follow(inventory.known);
    return gone.size > 0 || (news && due.length === 0);
  };
  // On an overloaded host, and of a domain that hangs, an old value is better than none. Without libvirt, or where it does
  // not answer for any domain, nobody knows whether the domains are still there.
  const keepsLate = (): boolean => connected && silent < KEPT_PERIODS * askedEvery;
  const valuesOf = ({ domain }: Reading): Values | undefined => {
    if (domain === undefined) return host;
    const entry = entries.get(domain.uuid);
    return entry?.domain.id === domain.id ? entry.values : undefined;
  };
  /** False if nothing of it is news: nobody need be told. */
  const onBatch = ({ kind, trigger, readings }: Batch): boolean => {
    const targets = kind === 'late' ? [...new Set(readings.map(valuesOf))] : [];
    const viewOf = (target: Values | undefined): View | undefined => target?.view(tick, target === host || keepsLate());
    const before = targets.map(viewOf);
    for (const reading of readings) {
      valuesOf(reading)?.put(reading, trigger.tick);
      if (reading.domain !== undefined && reading.metric.source.kind === 'stat') silent = 0;
    }
    if (kind === 'late') return targets.some((target, at) => viewOf(target) !== before[at]);
    for (const { uuid, id } of trigger.due) {
      const entry = entries.get(uuid);
      if (entry?.domain.id === id) entry.published = true;
    }
    return true;
  };
  const take = (cause: Snapshot['cause'], at: number): Snapshot => {
    const hostView = host.view(tick, true);
    const published: DomainMetrics[] = [];
    const missing: MissingValue[] = [...hostView.missing];
    const late: LateValue[] = [...hostView.late];
    for (const entry of order) {
      if (!entry.published) continue;
      const view = entry.values.view(tick, keepsLate());
      if (view.samples !== entry.view?.samples || entry.metrics?.domain !== entry.domain) {
        entry.metrics = { domain: entry.domain, samples: view.samples };
      }
      entry.view = view;
      if (view.samples.length > 0 && entry.metrics !== undefined) published.push(entry.metrics);
      for (const problem of view.missing) missing.push({ ...problem, domain: entry.domain });
      for (const value of view.late) late.push({ ...value, domain: entry.domain });
    }
    return {
      cause,
      tick,
      at,
      host: hostView.samples,
      domainMetrics: published,
      missing,
      ...(late.length === 0 ? {} : { late }),
      ...(known === undefined ? {} : { domains: known }),
    };
  };
  /** Whether everything has been collected once; of domains while libvirt can be asked. */
  const isComplete = (): boolean =>
    isHeard &&
    host.isComplete() &&
    (!connected || order.every(({ published, values: known }) => published && known.isComplete()));
  return { onTrigger, onBatch, take, isComplete };
};

/** Whether two snapshots show the same; parts that did not change are the same objects. */
const sameContent = (a: Snapshot, b: Snapshot): boolean =>
  a.host === b.host &&
  a.domains === b.domains &&
  a.domainMetrics.length === b.domainMetrics.length &&
  a.domainMetrics.every((entry, at) => entry === b.domainMetrics[at]);

// The first snapshot has waited long enough for its last value.
const OVERDUE = 'overdue';

// A whole tick is always published; a change only if there is one, at once after a quiet time, else coalesced.
const published = (scheduler: SchedulerLike): OperatorFunction<Due, Snapshot> => {
  let last: Snapshot | undefined;
  return (due$) =>
    due$.pipe(
      connect((shared$) =>
        merge(
          shared$.pipe(filter(({ cause }) => cause === 'tick')),
          shared$.pipe(
            filter(({ cause }) => cause === 'change' && last !== undefined),
            throttleTime(COALESCE, scheduler, { leading: true, trailing: true }),
          ),
        ),
      ),
      map(({ take }) => take()),
      filter((snapshot) => snapshot.cause === 'tick' || last === undefined || !sameContent(snapshot, last)),
      map((snapshot) => (last = snapshot)),
    );
};

/**
 * From the sources to the stream of snapshots; `period` is that of the ticks, in milliseconds. The first snapshot is
 * whole, so that a reader of the disk loses nothing at a restart, unless a value takes longer than `start`.
 */
export const snapshot$ = (
  sources: Sources,
  metrics: readonly MetricDefinition[],
  period: number,
  scheduler: SchedulerLike,
  { patience, start }: Patience = patienceOf(period),
): Observable<Snapshot> =>
  defer(() => {
    const { onTrigger, onBatch, take, isComplete } = snapshotStore(metrics);
    // The tick whose snapshot is to be the first.
    let first: Trigger | undefined;
    let overdue = false;
    let started = false;
    const dueAt = (cause: Snapshot['cause'], at: number): Due => ({ cause, at, take: () => take(cause, at) });
    const dueOf = (message: Trigger | Batch): Due | undefined => {
      if ('cause' in message) return onTrigger(message) ? dueAt('change', message.at) : undefined;
      if (!onBatch(message)) return undefined;
      const { kind, trigger } = message;
      if (kind === 'late') return dueAt('change', scheduler.now());
      return dueAt(trigger.cause === 'tick' ? 'tick' : 'change', trigger.at);
    };
    return trigger$(sources.tick$, sources.domain$, patience, scheduler).pipe(
      connect((shared$) => merge(shared$, shared$.pipe(poll(sources, metrics, patience, scheduler)))),
      (message$) => merge(message$, timer(start, scheduler).pipe(map((): typeof OVERDUE => OVERDUE))),
      map((message): Due | undefined => {
        const due = message === OVERDUE ? undefined : dueOf(message);
        if (started) return due;
        if (message === OVERDUE) overdue = true;
        else if ('kind' in message && message.trigger.cause === 'tick') first ??= message.trigger;
        if (first === undefined || !(overdue || isComplete())) return undefined;
        started = true;
        return dueAt('tick', first.at);
      }),
      filter((due) => due !== undefined),
      published(scheduler),
    );
  });
