import {
  defer,
  distinctUntilChanged,
  EMPTY,
  filter,
  map,
  merge,
  type Observable,
  scan,
  type SchedulerLike,
  share,
  startWith,
  switchMap,
  take,
  throttleTime,
} from 'rxjs';

import { type DaemonEvent, isOf, requiredOf, type Setup } from './events.ts';
import type { TelemetryView } from './telemetry/telemetry.ts';
import { type InForce, NO_REPORTS, type Reports, signsOfLife$ } from './watchdog.ts';
import { runningIn } from './status/status.ts';
import { counted, vmsText } from '../model/duration.ts';

/** Notifications for the service manager. `stuck` is also logged, because watchdog pings stop. */
export type ServiceNotification =
  | { readonly kind: 'ready' | 'reloading' | 'watchdog' }
  | { readonly kind: 'status' | 'stuck'; readonly text: string };

/** Inputs of `service$`. */
export interface ServiceInputs {
  /** The first configuration. */
  readonly setup: Setup;
  readonly event$: Observable<DaemonEvent>;
  readonly view: () => TelemetryView;
  /** Milliseconds between watchdog pings; undefined without a watchdog. */
  readonly watchdogInterval?: number | undefined;
  /** Wall clock, in milliseconds. */
  readonly wallClock: () => number;
  readonly scheduler: SchedulerLike;
}

// Milliseconds between two status lines.
const STATUS_PAUSE = 1000;

/** Status line, without anything that changes with time alone; undefined before the first snapshot. */
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

/** Converts times of the monotonic clock to the wall clock. Each keeps its result, even if the wall clock is set. */
const wallTimes = (now: () => number, wallClock: () => number): ((at: number) => string) => {
  const known = new Map<number, string>();
  return (at) => {
    const text = known.get(at) ?? `${new Date(wallClock() - (now() - at)).toISOString().slice(0, 19)}Z`;
    // Only the newest time is requested again.
    known.clear();
    known.set(at, text);
    return text;
  };
};

const isPublished = ({ newest }: TelemetryView, next: Setup, reports: Reports): boolean => {
  const { metrics } = next.config;
  const delivers = (key: string): boolean => {
    const last = reports.get(key)?.last;
    return last?.kind === 'failed' || (last?.kind === 'written' && last.snapshot.metrics === metrics);
  };
  return newest?.snapshot.metrics === metrics && requiredOf(next).every(delivers);
};

/**
 * Notifications for the service manager after the start. READY after a reload follows when every required sink has
 * written a snapshot of the new configuration, or failed to. Watchdog pings continue only while ticks are published
 * and the required sinks deliver them or report a failure: systemd must restart a daemon that hangs, not one whose disk
 * is full.
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
    const reports$ = event$.pipe(
      filter(isOf('report')),
      filter(({ report }) => report.kind === 'written' || report.kind === 'failed'),
      scan((reports, { sink, report }) => new Map(reports).set(sink.key, { at: now(), last: report }), NO_REPORTS),
      share(),
    );
    const reload$ = event$.pipe(
      filter(isOf('reload')),
      map(({ reload }) => reload),
    );
    const reloaded$ = reload$.pipe(
      switchMap((reload): Observable<InForce> => {
        if (reload.kind !== 'loaded') return EMPTY;
        return reports$.pipe(
          filter((reports) => isPublished(view(), reload.setup, reports)),
          take(1),
          map(() => ({ setup: reload.setup, since: now() })),
        );
      }),
      share(),
    );

    const configured$ = merge(
      reload$.pipe(
        filter(({ kind }) => kind !== 'loaded'),
        map(({ kind }): ServiceNotification => ({ kind: kind === 'loading' ? 'reloading' : 'ready' })),
      ),
      reloaded$.pipe(map((): ServiceNotification => ({ kind: 'ready' }))),
    );

    const refused$ = reload$.pipe(filter(({ kind }) => kind === 'refused'));
    const status$ = merge(
      reports$.pipe(throttleTime(STATUS_PAUSE, scheduler, { leading: true, trailing: true })),
      refused$,
    ).pipe(
      map(() => statusText(view(), wallOf)),
      filter((text) => text !== undefined),
      distinctUntilChanged(),
      map((text): ServiceNotification => ({ kind: 'status', text })),
    );

    const inForce$ = reloaded$.pipe(startWith({ setup, since: now() }));
    const watchdog$ =
      watchdogInterval === undefined
        ? EMPTY
        : signsOfLife$(watchdogInterval, view, reports$.pipe(startWith(NO_REPORTS)), inForce$, scheduler);
    return merge(status$, configured$, watchdog$);
  });
