import {
  concatMap,
  defer,
  distinctUntilChanged,
  filter,
  ignoreElements,
  map,
  merge,
  mergeMap,
  type Observable,
  pairwise,
  ReplaySubject,
  type SchedulerLike,
  share,
  shareReplay,
  startWith,
  switchMap,
  takeUntil,
  tap,
} from 'rxjs';

import type { Config } from '../config/config.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import type { Log } from '../system/log.ts';
import type { Outcome, Snapshot } from '../model/metric.ts';
import { logLink } from './log-link.ts';
import { logReports } from './log-sinks.ts';
import { noteLines, missingLines$ } from './log-missing-values.ts';
import type { ConfiguredSink } from '../sinks/index.ts';
import type { SinkReport } from '../sinks/sink.ts';
import { domainCollectors } from '../sources/libvirt/domain-stats.ts';
import { domainEvents$, type WatchScope } from '../sources/libvirt/domain-events.ts';
import { hostStats } from '../sources/host/host-stats.ts';
import { hostFacts, isFromLibvirt } from '../sources/host/libvirt-facts.ts';
import { connect$ } from '../sources/libvirt/connection.ts';
import { connectionState$ } from '../sources/libvirt/reconnect.ts';
import type { ActionRequest } from '../sources/source.ts';
import { tick$ } from '../sources/tick.ts';
import { patienceOf, snapshot$ } from '../streams/snapshot.ts';
import { switchMapWhenReady } from '../rx/switch-when-ready.ts';

/** What the daemon is told from outside the configuration. */
export interface DaemonOptions {
  /** URI of libvirt; undefined: libvirt's own default. */
  readonly connect?: string;
  readonly scheduler: SchedulerLike;
  readonly log: Log;
  /** Watches the work. */
  readonly telemetry?: Telemetry;
}

/** What the sinks of a configuration need to know of domains besides those that run. */
const watchScope = ({ vmDisk, transports, updatePeriod }: Config): WatchScope => ({
  defined: vmDisk !== undefined,
  channels: transports.some(({ name }) => name === 'virtio'),
  period: updatePeriod,
});

let loading: Promise<typeof import('../sources/action/actions.ts')> | undefined;

/** Loads what runs processes, once: at the first action, for the default configuration has none, or before the privileges go. */
export const loadActions = (): NonNullable<typeof loading> => (loading ??= import('../sources/action/actions.ts'));

/** The way of the data from the sources to snapshots, for one configuration. Subscribing starts everything. */
export const pipeline$ = (
  config: Config,
  { connect, scheduler, log, telemetry }: DaemonOptions,
  patience = patienceOf(config.updatePeriod),
): Observable<Snapshot> => {
  const { metrics, updatePeriod, path, maxParallelActions } = config;
  const linked$ = connectionState$(connect$(connect ?? null), scheduler).pipe(
    logLink(connect, { log, scheduler }),
    tap((link) => telemetry?.linked(link)),
    share({ connector: () => new ReplaySubject(1) }),
  );
  const uri = connect === undefined ? {} : { connect };
  const action$ = defer(loadActions).pipe(
    map(({ actions }) => actions({ ...uri, path, maxParallel: maxParallelActions, scheduler })),
    shareReplay(1),
  );
  const noteOf = noteLines();
  const sayNote = ({ metric }: ActionRequest, outcome: Outcome): void => {
    const line = noteOf(metric, outcome);
    if (line !== undefined) log('notice', 'metrics', line);
  };
  const sources = {
    tick$: tick$(updatePeriod, scheduler),
    domain$: domainEvents$(linked$, watchScope(config), scheduler),
    hostStats$: hostStats({ facts$: hostFacts(linked$, scheduler), scheduler }),
    isFromLibvirt,
    domainCollectors: domainCollectors(metrics, linked$, scheduler),
    action$: (request: ActionRequest) =>
      action$.pipe(
        switchMap((run$) => run$(request)),
        tap((outcome) => sayNote(request, outcome)),
      ),
  };
  return snapshot$(telemetry?.watched(sources) ?? sources, metrics, updatePeriod, scheduler, patience).pipe(
    map((snapshot) => ({ ...snapshot, metrics })),
  );
};

/** One sink with its report. */
export interface DaemonReport {
  readonly sink: ConfiguredSink;
  readonly report: SinkReport;
}

/** A configuration with the sinks that it asks for. */
export interface Setup {
  readonly config: Config;
  readonly sinks: readonly ConfiguredSink[];
}

/**
 * Joins sources, streams and sinks. Each further setup replaces the former one as soon as it has published: sinks that
 * both have (by `key`) stay open, others are closed first, so that a new one can open the same target.
 */
export const daemon$ = (setup$: Observable<Setup>, options: DaemonOptions): Observable<DaemonReport> => {
  const published$ = setup$.pipe(
    switchMapWhenReady((setup) => pipeline$(setup.config, options).pipe(map((snapshot) => ({ setup, snapshot })))),
    tap(({ setup, snapshot }) => options.telemetry?.published(setup, snapshot)),
    share({ connector: () => new ReplaySubject(1) }),
  );
  const snapshots$ = published$.pipe(map(({ snapshot }) => snapshot));
  const phase$ = published$.pipe(
    map(({ setup }) => setup.sinks),
    distinctUntilChanged(),
    concatMap((sinks) => [{ starts: false, sinks } as const, { starts: true, sinks } as const]),
    share(),
  );
  const has = (sinks: readonly ConfiguredSink[], { key }: ConfiguredSink): boolean =>
    sinks.some((other) => other.key === key);
  const run$ = (sink: ConfiguredSink): Observable<DaemonReport> =>
    sink.run(snapshots$).pipe(
      logReports(sink.name, options),
      takeUntil(phase$.pipe(filter(({ starts, sinks }) => !starts && !has(sinks, sink)))),
      map((report) => ({ sink, report })),
      tap((report) => options.telemetry?.reported(report)),
    );
  const reports$ = phase$.pipe(
    filter(({ starts }) => starts),
    map(({ sinks }) => sinks),
    startWith<readonly ConfiguredSink[]>([]),
    pairwise(),
    mergeMap(([before, now]) => merge(...now.filter((sink) => !has(before, sink)).map(run$))),
  );
  // Restarted per configuration: a reload reports missing metrics again.
  const missing$ = phase$.pipe(
    filter(({ starts }) => starts),
    switchMap(() => missingLines$(snapshots$)),
    tap(({ level, message }) => options.log(level, 'metrics', message)),
    ignoreElements(),
  );
  return merge(reports$, missing$);
};
