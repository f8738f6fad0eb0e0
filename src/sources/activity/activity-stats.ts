import {
  catchError,
  concat,
  defer,
  EMPTY,
  filter,
  forkJoin,
  from,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  type SchedulerLike,
  switchMap,
  take,
  tap,
} from 'rxjs';

import type { Domain, MetricDefinition, Reading } from '../../model/metric.ts';
import { reasonOf } from '../../model/reason.ts';
import type { ActivityStatistic } from '../../model/statistics.ts';
import { isRefused } from '../libvirt/call.ts';
import { type DomainChange, type Job, type PauseReason, pauseOf } from '../libvirt/domain-changes.ts';
import { diskNamesOf } from '../libvirt/domain-xml.ts';
import type { ConnectionState } from '../libvirt/reconnect.ts';
import type { Connection } from '../libvirt/types.ts';
import type { DomainCollector } from '../source.ts';
import { noValue, statOutcome } from '../stat-outcome.ts';
import { type Activity, type ActivityEvent, jobTimeAt, nextActivity, NO_ACTIVITY, pausedTimeAt } from './activity.ts';

// Milliseconds after which a domain without an event is asked about: libvirt does not report the start of every job.
const ASK_AGAIN = 60_000;
// Golden ratio, which spreads the questions about domains that appear together.
const SPREAD = 0.618_034;
// libvirtd answers 5 calls of a client at a time, and the statistics also need some.
const ASKED_AT_ONCE = 2;
// virDomainState: paused.
const PAUSED = 3;

const READERS: Readonly<Record<ActivityStatistic['name'], (activity: Activity, now: number) => number | string>> = {
  'activity.job': ({ job }) => job ?? 'none',
  'activity.job.time': (activity, now) => Math.round(jobTimeAt(activity, now) * 1e6),
  'activity.job.progress': ({ progress }) => progress ?? 0,
  'activity.job.ended': ({ jobsEnded }) => jobsEnded,
  'activity.paused.time': (activity, now) => Math.round(pausedTimeAt(activity, now) * 1e6),
  'activity.paused.reason': ({ pauseReason }) => pauseReason ?? 'none',
  'activity.io.errors': ({ ioErrors }) => ioErrors,
};

interface Run {
  /** Undefined until it is collected: libvirt may report an error of a domain before its start. */
  readonly domain: Domain | undefined;
  readonly activity: Activity;
  readonly askAt: number;
  /** Names of its disks; undefined if they may have changed. */
  readonly disks: readonly string[] | undefined;
}

interface KnownRun extends Run {
  readonly domain: Domain;
}
const isKnown = (run: Run): run is KnownRun => run.domain !== undefined;

const NEW = { activity: NO_ACTIVITY, askAt: -Infinity, disks: undefined } as const;
const MAY_BE_EARLY: ReadonlySet<ActivityEvent['kind']> = new Set(['ioError', 'paused']);

type Answer = Extract<ActivityEvent, { kind: 'asked' }>;

const firstJob$ = (connection: Connection, domain: Domain, disks: readonly string[]): Observable<Job | undefined> =>
  disks.length === 0
    ? of(undefined)
    : forkJoin(disks.map((disk) => connection.blockJob$(domain, disk).pipe(catchError(() => of(undefined))))).pipe(
        map((jobs) => jobs.find((job) => job !== undefined)),
      );

const paused$ = (connection: Connection, domain: Domain): Observable<PauseReason | undefined> =>
  connection.stats$([domain], 0).pipe(
    map(([stats]) => {
      const number = (name: string): number => Number(stats?.fields.get(name) ?? 0);
      return number('state.state') === PAUSED ? pauseOf(number('state.reason')) : undefined;
    }),
  );

/** Asks what runs on a domain now: its job, and if it has none those of its disks. */
export const activity$ = (connection: Connection, domain: Domain, disks: readonly string[]): Observable<Answer> =>
  forkJoin({
    job: connection
      .job$(domain)
      .pipe(switchMap((job) => (job === undefined ? firstJob$(connection, domain, disks) : of(job)))),
    paused: paused$(connection, domain),
  }).pipe(map((answer): Answer => ({ kind: 'asked', ...answer })));

/**
 * Collects what the host does to domains: from libvirt's events at once, by questions after an event, about each domain
 * once a minute, and at each tick while a job runs.
 */
export const activityCollectors = (
  metrics: readonly MetricDefinition[],
  connectionState$: Observable<ConnectionState>,
  scheduler: SchedulerLike,
): readonly DomainCollector[] => {
  const wanted = metrics.flatMap((metric) => {
    const { source } = metric;
    if (metric.context !== 'vm' || source.kind !== 'stat') return [];
    const read = Object.entries(READERS).find(([name]) => name === source.stat)?.[1];
    return read === undefined ? [] : [{ metric, read }];
  });
  if (wanted.length === 0) return [];
  // By UUID; those of the connection of `news$`.
  const runs = new Map<string, Run>();

  const runOf = (domain: Domain): KnownRun => {
    const before = runs.get(domain.uuid);
    const isSame = before !== undefined && (before.domain === undefined || before.domain.id === domain.id);
    const run = { ...(isSame ? before : NEW), domain };
    runs.set(domain.uuid, run);
    return run;
  };
  const readings = ({ domain, activity }: KnownRun): readonly Reading[] =>
    wanted.map(({ metric, read }) => ({
      metric,
      domain,
      outcome: statOutcome(metric, read(activity, scheduler.now())),
    }));
  const refused = ({ domain }: KnownRun, reason: string): readonly Reading[] =>
    wanted.map(({ metric }) => ({ metric, domain, outcome: noValue(reason) }));
  const fold = (uuid: string, event: ActivityEvent, more: Partial<Run> = {}): readonly Reading[] => {
    const before = runs.get(uuid) ?? (MAY_BE_EARLY.has(event.kind) ? { ...NEW, domain: undefined } : undefined);
    if (before === undefined) return [];
    const run: Run = { ...before, ...more, activity: nextActivity(before.activity, event, scheduler.now()) };
    runs.set(uuid, run);
    return isKnown(run) ? readings(run) : [];
  };
  const disks$ = (connection: Connection, { domain, disks }: KnownRun): Observable<readonly string[]> =>
    disks === undefined ? connection.xml$(domain).pipe(map(diskNamesOf)) : of(disks);

  const ask$ = (connection: Connection, run: KnownRun): Observable<readonly Reading[]> =>
    disks$(connection, run).pipe(
      switchMap((disks) =>
        activity$(connection, run.domain, disks).pipe(
          map((answer) => {
            const first = run.askAt === -Infinity;
            const wait = first ? ASK_AGAIN * ((runs.size * SPREAD) % 1) : ASK_AGAIN;
            return fold(run.domain.uuid, answer, { askAt: scheduler.now() + wait, disks });
          }),
        ),
      ),
      // If the driver refuses, that is the outcome; else the domain has ended, or libvirt is away.
      catchError((error: unknown) => (isRefused(error) ? of(refused(run, reasonOf(error))) : EMPTY)),
    );
  const collect$ = (connection: Connection, domains: readonly Domain[]): Observable<readonly Reading[]> => {
    const all = domains.map(runOf);
    const isDue = ({ askAt, activity }: Run): boolean => askAt <= scheduler.now() || activity.job !== undefined;
    const known = all.filter((run) => !isDue(run)).flatMap(readings);
    const asked$ = from(all.filter(isDue)).pipe(mergeMap((run) => ask$(connection, run), ASKED_AT_ONCE));
    return known.length === 0 ? asked$ : merge(of(known), asked$);
  };
  // The values of the event at once, then those of the answer.
  const afterChange$ = (connection: Connection, change: DomainChange): Observable<readonly Reading[]> => {
    const now = of(fold(change.uuid, change));
    const run = runs.get(change.uuid);
    return run === undefined || !isKnown(run) || change.kind === 'ioError' ? now : concat(now, ask$(connection, run));
  };
  const news$ = (connection: Connection): Observable<readonly Reading[]> =>
    defer(() => {
      runs.clear();
      return merge(
        connection.change$.pipe(
          filter(({ kind }) => kind !== 'tuned'),
          mergeMap((change) => afterChange$(connection, change), ASKED_AT_ONCE),
        ),
        connection.devices$.pipe(
          tap((uuid) => {
            const run = runs.get(uuid);
            if (run !== undefined) runs.set(uuid, { ...run, disks: undefined });
          }),
          map(() => []),
        ),
        connection.lifecycle$.pipe(
          filter(({ kind }) => kind === 'gone'),
          tap((event) => 'uuid' in event && runs.delete(event.uuid)),
          map(() => []),
        ),
      ).pipe(filter((some) => some.length > 0));
    });
  return [
    {
      metrics: wanted.map(({ metric }) => metric),
      collect$: (domains) =>
        connectionState$.pipe(
          take(1),
          switchMap((link) => (link.up ? collect$(link.connection, domains) : EMPTY)),
        ),
      news$: connectionState$.pipe(switchMap((link) => (link.up ? news$(link.connection) : EMPTY))),
    },
  ];
};
