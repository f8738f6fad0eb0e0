import {
  connect,
  defer,
  distinctUntilChanged,
  filter,
  map,
  merge,
  type Observable,
  ReplaySubject,
  type SchedulerLike,
  share,
  shareReplay,
  Subject,
  switchMap,
  tap,
} from 'rxjs';

import type { Config } from '../config/config.ts';
import type { Outcome } from '../model/metric.ts';
import { type DaemonEvent, isOf, type Setup } from './events.ts';
import { noteLines, missingLines$ } from './log-missing-values.ts';
import { activityCollectors } from '../sources/activity/activity-stats.ts';
import { contentionCollectors } from '../sources/contention/contention-stats.ts';
import { domainCollectors } from '../sources/libvirt/domain-stats.ts';
import { domainEvents$, type WatchScope } from '../sources/libvirt/domain-events.ts';
import { hostStats } from '../sources/host/host-stats.ts';
import { hostFacts, isFromLibvirt } from '../sources/host/libvirt-facts.ts';
import { loadPart } from '../system/load-part.ts';
import { onceResolved } from '../system/once.ts';
import { needsPromises, promiseSource } from '../sources/promise/promise-stats.ts';
import { connect$ } from '../sources/libvirt/connection.ts';
import { connectionState$ } from '../sources/libvirt/reconnect.ts';
import type { ActionRequest, Sources } from '../sources/source.ts';
import { tick$ } from '../sources/tick.ts';
import { patienceOf, snapshot$ } from '../streams/snapshot.ts';
import { mergeByKey } from '../rx/merge-by-key.ts';
import { switchMapWhenReady } from '../rx/switch-when-ready.ts';

/** Options of the daemon besides the configuration. */
export interface DaemonOptions {
  /** URI of libvirt; undefined for libvirt's default. */
  readonly connect?: string;
  readonly scheduler: SchedulerLike;
  /** Wraps the sources, to measure them. */
  readonly watched?: (sources: Sources) => Sources;
}

/** Facts about domains that the sinks need besides the running ones. */
const watchScope = ({ vmDisk, transports, updatePeriod }: Config): WatchScope => ({
  defined: vmDisk !== undefined,
  channels: transports.some(({ name }) => name === 'virtio'),
  period: updatePeriod,
});

/** Loads the modules that run actions once: at the first action, or before the privileges are dropped. */
export const loadActions = onceResolved(() => loadPart(() => import('../sources/action/actions.ts')));

/** Snapshots of one configuration. Subscribing starts all of its sources. */
export const pipeline$ = (
  setup: Setup,
  { connect: uri, scheduler, watched = (sources) => sources }: DaemonOptions,
  patience = patienceOf(setup.config.updatePeriod),
): Observable<DaemonEvent> =>
  defer(() => {
    const { config } = setup;
    const { metrics, updatePeriod, path, maxParallelActions } = config;
    const linked$ = connectionState$(connect$(uri ?? null), scheduler);
    const action$ = defer(loadActions).pipe(
      map(({ actions }) =>
        actions({
          ...(uri === undefined ? {} : { connect: uri }),
          path,
          maxParallel: maxParallelActions,
          scheduler,
        }),
      ),
      shareReplay(1),
    );
    const noteOf = noteLines();
    const note$ = new Subject<DaemonEvent>();
    const note = ({ metric }: ActionRequest, outcome: Outcome): void => {
      const message = noteOf(metric, outcome);
      if (message !== undefined) note$.next({ kind: 'note', message });
    };
    const promises = promiseSource(metrics, linked$, scheduler);
    const sources = watched({
      tick$: tick$(updatePeriod, scheduler),
      domain$: domainEvents$(linked$, watchScope(config), scheduler),
      hostStats$: hostStats({ facts$: hostFacts(linked$, scheduler), load$: promises.load$, scheduler }),
      isFromLibvirt,
      domainCollectors: [
        ...domainCollectors(metrics, linked$, scheduler, (domain) => promises.promisesOf(domain)?.disks ?? []),
        ...contentionCollectors(metrics, linked$, scheduler),
        ...activityCollectors(metrics, linked$, scheduler),
        ...(needsPromises(metrics) ? [promises.collector] : []),
      ],
      action$: (request: ActionRequest) =>
        action$.pipe(
          switchMap((run$) => run$(request)),
          tap((outcome) => note(request, outcome)),
        ),
    });
    return merge(
      linked$.pipe(map((link): DaemonEvent => ({ kind: 'linked', setup, link }))),
      note$,
      snapshot$(sources, metrics, updatePeriod, scheduler, patience).pipe(
        map((snapshot): DaemonEvent => ({
          kind: 'published',
          setup,
          snapshot: { ...snapshot, metrics },
        })),
      ),
    );
  });

/**
 * Joins sources, streams and sinks. A new setup replaces the former one when it has published. Sinks that both have (by
 * `key`) stay open; others are closed first, so that a new one can open the same target.
 */
export const daemon$ = (setup$: Observable<Setup>, options: DaemonOptions): Observable<DaemonEvent> =>
  setup$.pipe(
    switchMapWhenReady((setup) => pipeline$(setup, options), isOf('published')),
    connect((event$) => {
      const published$ = event$.pipe(filter(isOf('published')), share({ connector: () => new ReplaySubject(1) }));
      const snapshots$ = published$.pipe(map(({ snapshot }) => snapshot));
      const sinks$ = published$.pipe(
        map(({ setup }) => setup.sinks),
        distinctUntilChanged(),
        share(),
      );
      const report$ = sinks$.pipe(
        mergeByKey(
          ({ key }) => key,
          (sink) => sink.run(snapshots$).pipe(map((report): DaemonEvent => ({ kind: 'report', sink, report }))),
        ),
      );
      // Restarted per configuration: a reload reports missing metrics again.
      const missing$ = sinks$.pipe(
        switchMap(() => missingLines$(snapshots$)),
        map((line): DaemonEvent => ({ kind: 'missing', line })),
      );
      return merge(event$, report$, missing$);
    }),
  );
