import {
  defer,
  distinctUntilChanged,
  filter,
  map,
  merge,
  type Observable,
  scan,
  type SchedulerLike,
  share,
  throttleTime,
  timer,
  withLatestFrom,
} from 'rxjs';

import { type EventOf, requiredOf, type Setup } from './events.ts';
import type { TelemetryView } from './telemetry/telemetry.ts';

// Milliseconds by which a tick may be late, besides a period, because collections and sinks take time.
const OVERDUE_GRACE = 5000;
// Health checks per watchdog interval.
const CHECKS_PER_INTERVAL = 8;

/** Latest report `written` or `failed` of each sink. */
export type Reports = ReadonlyMap<string, { readonly at: number; readonly last: EventOf<'report'>['report'] }>;

export const NO_REPORTS: Reports = new Map();

/** The configuration that the watchdog checks, and the time since which it is in force. */
export interface InForce {
  readonly setup: Setup;
  readonly since: number;
}

/** Result of a check: the number of ticks, the time when it changed, and the reason if pings stop. */
interface Check {
  readonly ticks: number;
  readonly tickAt: number;
  readonly silent?: string;
}

/** Checks that ticks are published, and that the required sinks deliver them or report a failure. */
export const nextCheck = (
  { ticks, tickAt }: Check,
  { now, period = 0, snapshots, newest }: TelemetryView,
  reports: Reports,
  { setup, since }: InForce,
): Check => {
  // The watchdog waits until the start is done.
  if (newest === undefined) return { ticks, tickAt };
  const seen = { ticks: snapshots.tick, tickAt: snapshots.tick === ticks ? tickAt : now };
  const from = now - 2 * period - OVERDUE_GRACE;
  if (seen.tickAt < from) return { ...seen, silent: 'no tick has been published' };
  const isStuck = requiredOf(setup).some((key) => {
    const { at, last } = reports.get(key) ?? { at: since };
    return last?.kind !== 'failed' && at < from;
  });
  return isStuck ? { ...seen, silent: 'a sink has reported nothing' } : seen;
};

/** Watchdog pings, at most one per interval (milliseconds), and the reason when they stop. */
export const signsOfLife$ = (
  interval: number,
  view: () => TelemetryView,
  reports$: Observable<Reports>,
  inForce$: Observable<InForce>,
  scheduler: SchedulerLike,
): Observable<{ readonly kind: 'watchdog' } | { readonly kind: 'stuck'; readonly text: string }> =>
  defer(() => {
    const start: Check = { ticks: 0, tickAt: scheduler.now() };
    const silent$ = timer(0, interval / CHECKS_PER_INTERVAL, scheduler).pipe(
      withLatestFrom(reports$, inForce$),
      scan((check, [, reports, inForce]) => nextCheck(check, view(), reports, inForce), start),
      map(({ silent }) => silent),
      share(),
    );
    return merge(
      silent$.pipe(
        filter((reason) => reason === undefined),
        throttleTime(interval, scheduler),
        map(() => ({ kind: 'watchdog' }) as const),
      ),
      silent$.pipe(
        distinctUntilChanged(),
        filter((reason) => reason !== undefined),
        map((reason) => ({ kind: 'stuck', text: `Stuck, ${reason} for more than two periods` }) as const),
      ),
    );
  });
