import {
  defer,
  distinctUntilChanged,
  EMPTY,
  filter,
  map,
  merge,
  type Observable,
  of,
  type SchedulerLike,
  share,
  switchMap,
  take,
  tap,
  throttleTime,
  timer,
} from 'rxjs';

import { type DaemonEvent, type EventOf, isOf, requiredOf, type Setup } from './events.ts';
import type { TelemetryView } from './telemetry/telemetry.ts';
import { runningIn } from './status/status.ts';
import { counted, vmsText } from '../model/duration.ts';

/** What the service manager is to be told; `stuck` is for the log, too: the watchdog gets no sign of life. */
export type ServiceNotification =
  | { readonly kind: 'ready' | 'reloading' | 'watchdog' }
  | { readonly kind: 'status' | 'stuck'; readonly text: string };

/** The daemon at work. */
export interface ServiceInputs {
  /** The first configuration. */
  readonly setup: Setup;
  readonly event$: Observable<DaemonEvent>;
  readonly view: () => TelemetryView;
  /** Milliseconds between two signs of life; undefined: nobody expects one. */
  readonly watchdogInterval?: number | undefined;
  /** Wall clock, in milliseconds. */
  readonly wallClock: () => number;
  readonly scheduler: SchedulerLike;
}

// Milliseconds between two statuses.
const STATUS_PAUSE = 1000;
// A tick is late by a period and this, in milliseconds, before it counts as missing: collections and sinks take time.
const OVERDUE_GRACE = 5000;
// Health checks per watchdog interval.
const CHECKS_PER_INTERVAL = 8;

/** The state in words, without anything that changes by itself; undefined before the first snapshot. */
const statusText = (
  { newest, libvirt, sinks, notReloaded }: TelemetryView,
  wallOf: (at: number) => string,
): string | undefined => {
  if (newest === undefined) return undefined;
  const { host, domainMetrics } = newest.snapshot;
  const vms = vmsText(domainMetrics.length, runningIn(newest.snapshot), libvirt?.up === false);
  return [
    `${counted(host.length, 'host metric')}, ${vms}`,
    ...(notReloaded === undefined
      ? []
      : [`not reloaded, the former configuration is in force: ${notReloaded.message}`]),
    ...(libvirt?.up === false ? [`libvirt away since ${wallOf(libvirt.since)}: ${libvirt.reason}`] : []),
    ...sinks.flatMap(({ name, failing }) => (failing === undefined ? [] : [`sink ${name} fails: ${failing.message}`])),
  ].join('; ');
};

/** Times of the monotonic clock on the wall clock, each always the same, whatever happens to that clock later. */
const wallTimes = (now: () => number, wallClock: () => number): ((at: number) => string) => {
  const known = new Map<number, string>();
  return (at) => {
    const text = known.get(at) ?? `${new Date(wallClock() - (now() - at)).toISOString().slice(0, 19)}Z`;
    // Only the newest is asked for again.
    known.clear();
    known.set(at, text);
    return text;
  };
};

/**
 * Notifications for the service manager after the start. READY after a reload comes when every required
 * sink has written a snapshot of the new configuration, or has failed to. Signs of life come only while ticks are
 * published and the required sinks deliver them or say why not: a daemon that hangs is to be restarted, one whose disk is
 * full is not.
 */
export const service$ = ({
  setup,
  event$,
  view,
  watchdogInterval,
  wallClock,
  scheduler,
}: ServiceInputs): Observable<ServiceNotification> =>
  defer(() => {
    const now = (): number => scheduler.now();
    const wallOf = wallTimes(now, wallClock);
    const sinks = new Map<string, { readonly at: number; readonly last: EventOf<'report'>['report'] }>();
    let current = setup;
    let since = now();

    const noted$ = event$.pipe(
      filter(isOf('report')),
      filter(({ report }) => report.kind === 'written' || report.kind === 'failed'),
      tap(({ sink, report }) => sinks.set(sink.key, { at: now(), last: report })),
      share(),
    );
    const reload$ = event$.pipe(
      filter(isOf('reload')),
      map(({ reload }) => reload),
    );

    const inForce = ({ config: { metrics } }: Setup): boolean => view().newest?.snapshot.metrics === metrics;
    const published = (next: Setup): boolean =>
      inForce(next) &&
      requiredOf(next).every((key) => {
        const last = sinks.get(key)?.last;
        return last?.kind === 'failed' || (last?.kind === 'written' && last.snapshot.metrics === next.config.metrics);
      });

    const configured$ = reload$.pipe(
      switchMap((reload): Observable<ServiceNotification> => {
        if (reload.kind !== 'loaded') return of({ kind: reload.kind === 'loading' ? 'reloading' : 'ready' });
        const { setup: next } = reload;
        return noted$.pipe(
          filter(() => published(next)),
          take(1),
          tap(() => {
            current = next;
            since = now();
          }),
          map(() => ({ kind: 'ready' })),
        );
      }),
    );

    const refused$ = reload$.pipe(filter(({ kind }) => kind === 'refused'));
    const status$ = merge(
      noted$.pipe(throttleTime(STATUS_PAUSE, scheduler, { leading: true, trailing: true })),
      refused$,
    ).pipe(
      map(() => statusText(view(), wallOf)),
      filter((text) => text !== undefined),
      distinctUntilChanged(),
      map((text): ServiceNotification => ({ kind: 'status', text })),
    );

    let ticks = { count: 0, at: since };
    const silent = (): string | undefined => {
      const { period = 0, snapshots, newest } = view();
      // The watchdog waits until the start is done.
      if (newest === undefined) return undefined;
      if (snapshots.tick !== ticks.count) ticks = { count: snapshots.tick, at: now() };
      const from = now() - 2 * period - OVERDUE_GRACE;
      if (ticks.at < from) return 'no tick has been published';
      const stuck = requiredOf(current).some((key) => {
        const { at, last } = sinks.get(key) ?? { at: since };
        return last?.kind !== 'failed' && at < from;
      });
      return stuck ? 'a sink has reported nothing' : undefined;
    };
    const signs$ = (interval: number): Observable<ServiceNotification> => {
      const silent$ = timer(0, interval / CHECKS_PER_INTERVAL, scheduler).pipe(map(silent), share());
      return merge(
        silent$.pipe(
          filter((reason) => reason === undefined),
          throttleTime(interval, scheduler),
          map((): ServiceNotification => ({ kind: 'watchdog' })),
        ),
        silent$.pipe(
          distinctUntilChanged(),
          filter((reason) => reason !== undefined),
          map((reason): ServiceNotification => ({ kind: 'stuck', text: `Stuck, ${reason} for more than two periods` })),
        ),
      );
    };
    const watchdog$ = watchdogInterval === undefined ? EMPTY : signs$(watchdogInterval);
    return merge(status$, configured$, watchdog$);
  });
