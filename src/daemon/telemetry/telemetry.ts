import { defer, map, type Observable, scan, type SchedulerLike, tap } from 'rxjs';

import type { Config } from '../../config/config.ts';
import type { Reading, Snapshot } from '../../model/metric.ts';
import type { SinkReport } from '../../sinks/sink.ts';
import type { ConnectionState } from '../../sources/libvirt/reconnect.ts';
import type { DaemonEvent, Reload } from '../events.ts';
import type { Sources } from '../../sources/source.ts';
import { EMPTY_HISTOGRAM, type Histogram, withDuration } from './histogram.ts';
import { outcomes, type OutcomeView } from './outcome-counts.ts';
import { NEW_SINK, type SinkView, withPublished, withReport } from './sink-telemetry.ts';

/** Stages between a tick or an event and the published snapshot. */
export const STAGES = ['host_stats', 'domain_stats', 'action', 'publish'] as const;
export type StageName = (typeof STAGES)[number];

/** State of the connection to libvirt. Times are milliseconds of the monotonic clock. */
export type LibvirtView =
  | { readonly up: true; readonly since: number; readonly product: string }
  | { readonly up: false; readonly since: number; readonly reason: string };

/** State of a sink with its name, numbered if several sinks have the same. */
export interface NamedSink extends SinkView {
  readonly name: string;
}

/** All figures of the daemon about itself. Times are milliseconds on the clock of `now`. */
export interface TelemetryView {
  readonly now: number;
  /** Update period in milliseconds; absent before the first snapshot. */
  readonly period?: number;
  readonly ticks: number;
  readonly skipped: { readonly count: number; readonly lastAt?: number };
  readonly snapshots: { readonly tick: number; readonly change: number };
  readonly newest?: { readonly snapshot: Snapshot; readonly at: number };
  readonly stages: Readonly<Record<StageName, Histogram>>;
  /** Counts of now. A function, because most who look do not want them. */
  readonly outcomes: () => readonly OutcomeView[];
  readonly sinks: readonly NamedSink[];
  /** Absent until the first try to connect has ended. */
  readonly libvirt?: LibvirtView;
  readonly reconnects: number;
  /** Set if the last reload failed: time and reason. */
  readonly notReloaded?: { readonly at: number; readonly message: string };
}

/** Identity of a sink: `key` distinguishes sinks with the same name. */
interface SinkIdentity {
  readonly key: string;
  readonly name: string;
}

interface Configured {
  readonly config: Config;
  readonly sinks: readonly SinkIdentity[];
}

/** Counts the work of the daemon without affecting it. */
export interface Telemetry {
  /** Returns the same sources with their calls counted and timed. */
  readonly watched: (sources: Sources) => Sources;
  readonly linked: (link: ConnectionState) => void;
  readonly published: (setup: Configured, snapshot: Snapshot) => void;
  readonly reported: (of: { readonly sink: SinkIdentity; readonly report: SinkReport }) => void;
  /** Counts a reload. */
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

/** State without the outcomes. */
interface State extends Omit<TelemetryView, 'now' | 'outcomes' | 'sinks'> {
  readonly sinks: ReadonlyMap<string, SinkView>;
  readonly names: ReadonlyMap<string, string>;
  /** Sinks of the configuration in force. */
  readonly configured?: readonly SinkIdentity[];
  readonly hasBeenUp: boolean;
}

const START: State = {
  ticks: 0,
  skipped: { count: 0 },
  snapshots: { tick: 0, change: 0 },
  stages: {
    host_stats: EMPTY_HISTOGRAM,
    domain_stats: EMPTY_HISTOGRAM,
    action: EMPTY_HISTOGRAM,
    publish: EMPTY_HISTOGRAM,
  },
  sinks: new Map(),
  names: new Map(),
  reconnects: 0,
  hasBeenUp: false,
};

const withTick = (state: State, missed: number, at: number): State => ({
  ...state,
  ticks: state.ticks + 1,
  skipped: missed > 0 ? { count: state.skipped.count + missed, lastAt: at } : state.skipped,
});

const withStage = (state: State, stage: StageName, ms: number): State => ({
  ...state,
  stages: { ...state.stages, [stage]: withDuration(state.stages[stage], ms) },
});

const withLink = (state: State, link: ConnectionState, at: number): State => {
  const { libvirt, hasBeenUp, reconnects } = state;
  if (!link.up) {
    const since = libvirt?.up === false ? libvirt.since : at;
    return { ...state, libvirt: { up: false, since, reason: link.reason } };
  }
  return {
    ...state,
    libvirt: { up: true, since: at, product: link.connection.product },
    hasBeenUp: true,
    // The first connection is not a reconnect.
    reconnects: libvirt?.up === false && hasBeenUp ? reconnects + 1 : reconnects,
  };
};

const withSetup = (state: State, { config, sinks }: Configured): State => {
  if (sinks === state.configured) return state;
  const names = namesOf(sinks);
  const views = [...names.keys()].map((key): [string, SinkView] => [key, state.sinks.get(key) ?? NEW_SINK]);
  return { ...state, configured: sinks, period: config.updatePeriod, names, sinks: new Map(views) };
};

const withSnapshot = (before: State, setup: Configured, snapshot: Snapshot, at: number): State => {
  const state = withStage(withSetup(before, setup), 'publish', at - snapshot.at);
  return {
    ...state,
    newest: { snapshot, at },
    snapshots: { ...state.snapshots, [snapshot.cause]: state.snapshots[snapshot.cause] + 1 },
    sinks: new Map([...state.sinks].map(([key, sink]) => [key, withPublished(sink, at)])),
  };
};

const withReportOf = (state: State, { key }: SinkIdentity, report: SinkReport, at: number): State => {
  const { newest, sinks } = state;
  const sink = sinks.get(key);
  if (newest === undefined || sink === undefined) return state;
  return { ...state, sinks: new Map(sinks).set(key, withReport(sink, report, at, newest)) };
};

const withReload = (state: State, reload: Reload, at: number): State => {
  if (reload.kind === 'loading') return state;
  const { notReloaded: _, ...rest } = state;
  return reload.kind === 'loaded' ? rest : { ...rest, notReloaded: { at, message: reload.reason } };
};

export const createTelemetry = (scheduler: SchedulerLike): Telemetry => {
  const now = (): number => scheduler.now();
  const counted = outcomes();
  // The only mutable state: each event replaces it.
  let state = START;

  const timed = <T>(stage: StageName, source$: Observable<T>): Observable<T> =>
    defer(() => {
      const from = now();
      return source$.pipe(tap({ complete: () => (state = withStage(state, stage, now() - from)) }));
    });
  const counting = tap((readings: readonly Reading[]) => {
    for (const { metric, outcome } of readings) counted.add(metric, outcome);
  });

  const watched = (sources: Sources): Sources => ({
    ...sources,
    tick$: sources.tick$.pipe(
      map((tick) => ({ tick, missed: 0 })),
      scan((before, { tick }) => ({ tick, missed: tick - before.tick - 1 })),
      tap(({ missed }) => (state = withTick(state, missed, now()))),
      map(({ tick }) => tick),
    ),
    hostStats$: (metrics, running) => timed('host_stats', sources.hostStats$(metrics, running).pipe(counting)),
    domainCollectors: sources.domainCollectors.map((collector) => ({
      ...collector,
      collect$: (domains) => timed('domain_stats', collector.collect$(domains).pipe(counting)),
    })),
    action$: (request) =>
      timed('action', sources.action$(request).pipe(tap((outcome) => counted.add(request.metric, outcome)))),
  });

  return {
    watched,
    linked: (link) => {
      state = withLink(state, link, now());
    },
    published: (setup, snapshot) => {
      if (setup.sinks !== state.configured) counted.keep(setup.config.metrics);
      state = withSnapshot(state, setup, snapshot, now());
    },
    reported: ({ sink, report }) => {
      state = withReportOf(state, sink, report, now());
    },
    reloaded: (reload) => {
      state = withReload(state, reload, now());
    },
    view: () => {
      const { names, sinks, configured: _configured, hasBeenUp: _hasBeenUp, ...view } = state;
      return {
        ...view,
        now: now(),
        outcomes: counted.view,
        sinks: [...sinks].map(([key, sink]) => ({ name: names.get(key) ?? '', ...sink })),
      };
    },
  };
};

/** Returns a function that counts each event. */
export const observe =
  ({ linked, published, reported, reloaded }: Telemetry) =>
  (event: DaemonEvent): void => {
    if (event.kind === 'linked') linked(event.link);
    if (event.kind === 'published') published(event.setup, event.snapshot);
    if (event.kind === 'report') reported(event);
    if (event.kind === 'reload') reloaded(event.reload);
  };
