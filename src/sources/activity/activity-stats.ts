import {
  catchError,
  concat,
  defer,
  EMPTY,
  filter,
  from,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  retry,
  type SchedulerLike,
  switchMap,
  take,
  tap,
  throwError,
  timer,
} from 'rxjs';

import type { Domain, MetricDefinition, Reading } from '../../model/metric.ts';
import { reasonOf } from '../../model/reason.ts';
import type { ActivityStatistic } from '../../model/statistics.ts';
import { isRefused } from '../libvirt/call.ts';
import type { DomainChange } from '../libvirt/domain-changes.ts';
import { diskNamesOf } from '../libvirt/domain-xml.ts';
import type { ConnectionState } from '../libvirt/reconnect.ts';
import type { Connection } from '../libvirt/types.ts';
import type { DomainCollector } from '../source.ts';
import { noValue, statOutcome } from '../stat-outcome.ts';
import { type Activity, type ActivityEvent, jobTimeAt, nextActivity, NO_ACTIVITY, pausedTimeAt } from './activity.ts';
import { type Ask, oneAtATime } from './one-at-a-time.ts';
import { activity$, isHeld$ } from './questions.ts';

// Milliseconds after which a domain without an event is asked about: libvirt does not report the start of every job.
const ASK_AGAIN = 60_000;
// Milliseconds until the first new try while another call holds a domain; each next one waits twice as long.
const HELD_WAIT = 20;
const HELD_TRIES = 6;
const HELD = Symbol('another call holds the domain');
// Golden ratio, which spreads the questions about domains that appear together.
const SPREAD = 0.618_034;

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
  /** True if libvirt has answered once. */
  readonly isAnswered: boolean;
  readonly askAt: number;
  /** Names of its disks; undefined if they may have changed. */
  readonly disks: readonly string[] | undefined;
}

interface KnownRun extends Run {
  readonly domain: Domain;
}
const isKnown = (run: Run): run is KnownRun => run.domain !== undefined;

const NEW = { activity: NO_ACTIVITY, isAnswered: false, askAt: -Infinity, disks: undefined } as const;
const MAY_BE_EARLY: ReadonlySet<ActivityEvent['kind']> = new Set(['ioError', 'paused']);

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
  const asks = new WeakMap<Connection, Ask>();
  const questions = (connection: Connection): Ask => {
    const ask = asks.get(connection) ?? oneAtATime(scheduler);
    asks.set(connection, ask);
    return ask;
  };

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

  // Undefined if the run has ended in the meantime.
  const runStill = ({ uuid, id }: Domain): KnownRun | undefined => {
    const run = runs.get(uuid);
    return run !== undefined && isKnown(run) && run.domain.id === id ? run : undefined;
  };
  const postpone = (domain: Domain): void => {
    const run = runStill(domain);
    if (run !== undefined) runs.set(domain.uuid, { ...run, askAt: scheduler.now() + ASK_AGAIN });
  };
  const answer$ = (connection: Connection, run: KnownRun): Observable<readonly Reading[]> =>
    disks$(connection, run).pipe(
      switchMap((disks) =>
        activity$(connection, run.domain, disks).pipe(
          map((answer) => {
            if (runStill(run.domain) === undefined) return [];
            const wait = run.isAnswered ? ASK_AGAIN : ASK_AGAIN * ((runs.size * SPREAD) % 1);
            return fold(run.domain.uuid, answer, { isAnswered: true, askAt: scheduler.now() + wait, disks });
          }),
        ),
      ),
    );
  const question$ = (connection: Connection, run: KnownRun): Observable<readonly Reading[]> =>
    isHeld$(connection, run.domain).pipe(
      switchMap((isHeld) => (isHeld ? throwError(() => HELD) : answer$(connection, run))),
      catchError((error: unknown) => {
        if (error === HELD) throw error;
        // If the driver refuses, that is the outcome; else the domain has ended, or libvirt is away.
        return isRefused(error) ? of(refused(run, reasonOf(error))) : EMPTY;
      }),
    );
  const ask$ = (connection: Connection, { domain }: KnownRun): Observable<readonly Reading[]> =>
    questions(connection)(
      defer(() => {
        const run = runStill(domain);
        return run === undefined ? EMPTY : question$(connection, run);
      }),
      () => postpone(domain),
    ).pipe(
      retry({ count: HELD_TRIES, delay: (_held, times) => timer(HELD_WAIT * 2 ** (times - 1), scheduler) }),
      catchError(() => of(undefined)),
      map((answer) => {
        if (answer !== undefined) return answer;
        // Without an answer in time, the values are those that events have told.
        const run = runStill(domain);
        return run?.isAnswered === true ? readings(run) : [];
      }),
    );
  const collect$ = (connection: Connection, domains: readonly Domain[]): Observable<readonly Reading[]> => {
    const all = domains.map(runOf);
    const isDue = ({ askAt, activity }: Run): boolean => askAt <= scheduler.now() || activity.job !== undefined;
    const known = all.filter((run) => !isDue(run) && run.isAnswered).flatMap(readings);
    const asked$ = from(all.filter(isDue)).pipe(mergeMap((run) => ask$(connection, run)));
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
          mergeMap((change) => afterChange$(connection, change)),
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
