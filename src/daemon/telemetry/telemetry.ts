import { defer, type Observable, type SchedulerLike, tap } from 'rxjs';

import type { Config } from '../../config/config.ts';
import type { Reading, Snapshot } from '../../model/metric.ts';
import type { SinkReport } from '../../sinks/sink.ts';
import type { ConnectionState } from '../../sources/libvirt/reconnect.ts';
import type { DaemonEvent, Reload } from '../events.ts';
import type { Sources } from '../../sources/source.ts';
import { histogram, type Histogram } from './histogram.ts';
import { outcomes, type OutcomeView } from './outcome-counts.ts';
import { type SinkTelemetry, sinkTelemetry, type SinkView } from './sink-telemetry.ts';

/** Parts of the way from a tick or an event to a published snapshot. */
export const STAGES = ['host_stats', 'domain_stats', 'action', 'publish'] as const;
export type StageName = (typeof STAGES)[number];

/** Whether libvirt can be asked; milliseconds of the monotonic clock. */
export type LibvirtView =
  | { readonly up: true; readonly since: number; readonly product: string }
  | { readonly up: false; readonly since: number; readonly reason: string };

/** A sink by its name, with a number if there are several of that name. */
export interface NamedSink extends SinkView {
  readonly name: string;
}

/** All that the daemon knows of its own work. Times are milliseconds of `now`. */
export interface TelemetryView {
  readonly now: number;
  /** Update period in milliseconds; missing before the first snapshot. */
  readonly period?: number;
  readonly ticks: number;
  readonly skipped: { readonly count: number; readonly lastAt?: number };
  readonly snapshots: { readonly tick: number; readonly change: number };
  readonly newest?: { readonly snapshot: Snapshot; readonly at: number };
  readonly stages: Readonly<Record<StageName, Histogram>>;
  readonly outcomes: readonly OutcomeView[];
  readonly sinks: readonly NamedSink[];
  /** Missing until the first try has ended. */
  readonly libvirt?: LibvirtView;
  readonly reconnects: number;
  /** The last reload failed: when, and why. */
  readonly notReloaded?: { readonly at: number; readonly message: string };
}

/** Who a sink is: `key` tells sinks of one name apart. */
interface SinkIdentity {
  readonly key: string;
  readonly name: string;
}

/** Watches the daemon at work; it changes nothing. */
export interface Telemetry {
  /** The same sources, watched. */
  readonly watched: (sources: Sources) => Sources;
  readonly linked: (link: ConnectionState) => void;
  readonly published: (
    setup: { readonly config: Config; readonly sinks: readonly SinkIdentity[] },
    snapshot: Snapshot,
  ) => void;
  readonly reported: (of: { readonly sink: SinkIdentity; readonly report: SinkReport }) => void;
  /** The configuration was read again, or not. */
  readonly reloaded: (reload: Reload) => void;
  readonly view: () => TelemetryView;
}

const namesOf = (sinks: readonly SinkIdentity[]): ReadonlyMap<string, string> => {
  const names = new Map<string, string>();
  const used = new Map<string, number>();
  for (const { key, name } of sinks) {
    if (names.has(key)) continue;
    const count = (used.get(name) ?? 0) + 1;
    used.set(name, count);
    names.set(key, count === 1 ? name : `${name} ${count}`);
  }
  return names;
};

export const createTelemetry = (scheduler: SchedulerLike): Telemetry => {
  const now = (): number => scheduler.now();
  const stages = { host_stats: histogram(), domain_stats: histogram(), action: histogram(), publish: histogram() };
  const counted = outcomes();
  const sinks = new Map<string, SinkTelemetry>();
  let names: ReadonlyMap<string, string> = new Map();
  const snapshots = { tick: 0, change: 0 };
  let configured: readonly SinkIdentity[] | undefined;
  let period: number | undefined;
  let ticks = 0;
  let skipped: TelemetryView['skipped'] = { count: 0 };
  let newest: TelemetryView['newest'];
  let libvirt: LibvirtView | undefined;
  let reconnects = 0;
  let hasBeenUp = false;
  let notReloaded: TelemetryView['notReloaded'];

  const timed = <T>(stage: StageName, source$: Observable<T>): Observable<T> =>
    defer(() => {
      const from = now();
      return source$.pipe(tap({ complete: () => stages[stage].add(now() - from) }));
    });
  const counting = tap((readings: readonly Reading[]) => {
    for (const { metric, outcome } of readings) counted.add(metric, outcome);
  });

  const watched = (sources: Sources): Sources => ({
    ...sources,
    tick$: defer(() => {
      let before: number | undefined;
      return sources.tick$.pipe(
        tap((tick) => {
          ticks += 1;
          const missed = before === undefined ? 0 : tick - before - 1;
          if (missed > 0) skipped = { count: skipped.count + missed, lastAt: now() };
          before = tick;
        }),
      );
    }),
    hostStats$: (metrics) => timed('host_stats', sources.hostStats$(metrics).pipe(counting)),
    domainCollectors: sources.domainCollectors.map(({ metrics, collect$ }) => ({
      metrics,
      collect$: (domains) => timed('domain_stats', collect$(domains).pipe(counting)),
    })),
    action$: (request) =>
      timed('action', sources.action$(request).pipe(tap((outcome) => counted.add(request.metric, outcome)))),
  });

  const configure = ({ config, sinks: now }: { config: Config; sinks: readonly SinkIdentity[] }): void => {
    configured = now;
    period = config.updatePeriod;
    counted.keep(config.metrics);
    names = namesOf(now);
    for (const key of sinks.keys()) if (!names.has(key)) sinks.delete(key);
    for (const key of names.keys()) if (!sinks.has(key)) sinks.set(key, sinkTelemetry());
  };

  return {
    watched,
    linked: (link) => {
      const at = now();
      if (!link.up) {
        libvirt = { up: false, since: libvirt?.up === false ? libvirt.since : at, reason: link.reason };
        return;
      }
      // The first connection of all is none that was made again.
      if (libvirt?.up === false && hasBeenUp) reconnects += 1;
      hasBeenUp = true;
      libvirt = { up: true, since: at, product: link.connection.product };
    },
    published: (setup, snapshot) => {
      const at = now();
      if (setup.sinks !== configured) configure(setup);
      newest = { snapshot, at };
      snapshots[snapshot.cause] += 1;
      stages.publish.add(at - snapshot.at);
      for (const sink of sinks.values()) sink.published(at);
    },
    reported: ({ sink, report }) => {
      if (newest !== undefined) sinks.get(sink.key)?.reported(report, now(), newest);
    },
    reloaded: (reload) => {
      if (reload.kind === 'loading') return;
      notReloaded = reload.kind === 'loaded' ? undefined : { at: now(), message: reload.reason };
    },
    view: () => ({
      now: now(),
      ...(period === undefined ? {} : { period }),
      ticks,
      skipped,
      snapshots: { ...snapshots },
      ...(newest === undefined ? {} : { newest }),
      stages: {
        host_stats: stages.host_stats.view(),
        domain_stats: stages.domain_stats.view(),
        action: stages.action.view(),
        publish: stages.publish.view(),
      },
      outcomes: counted.view(),
      sinks: [...sinks].map(([key, sink]) => ({ name: names.get(key) ?? '', ...sink.view() })),
      ...(libvirt === undefined ? {} : { libvirt }),
      reconnects,
      ...(notReloaded === undefined ? {} : { notReloaded }),
    }),
  };
};

/** Counts what happens. */
export const observe =
  ({ linked, published, reported, reloaded }: Telemetry) =>
  (event: DaemonEvent): void => {
    if (event.kind === 'linked') linked(event.link);
    if (event.kind === 'published') published(event.setup, event.snapshot);
    if (event.kind === 'report') reported(event);
    if (event.kind === 'reload') reloaded(event.reload);
  };
