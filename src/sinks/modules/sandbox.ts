import {
  concat,
  defer,
  from,
  map,
  mergeMap,
  Observable,
  of,
  ReplaySubject,
  scan,
  takeUntil,
  tap,
  throwError,
  timestamp,
} from 'rxjs';
import type { SchedulerLike, Timestamp } from 'rxjs';

import type { Snapshot } from '../../model/metric.ts';
import { reasonOf } from '../../model/reason.ts';
import { escapeForLog } from '../../model/value.ts';
import { type Backoff, retryWithBackoff } from '../../rx/retry-with-backoff.ts';
import type { Sink, SinkReport } from '../sink.ts';

const DEFAULT_BACKOFF: Backoff = { first: 1000, most: 30_000 };
const MAX_MESSAGE_LENGTH = 512;

/** Freezes a value deeply. A frozen object counts as frozen deeply. */
const frozen = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

// A module may emit anything; the log and the daemon rely on the shape.
const reportOf = (report: unknown): SinkReport => {
  const { kind, message, snapshot, stage, bytes, leftOut } = isRecord(report) ? report : {};
  const text = escapeForLog(typeof message === 'string' ? message : '', MAX_MESSAGE_LENGTH);
  if (kind === 'opened' || kind === 'warning') return { kind, message: text };
  if (kind === 'failed') return { kind, stage: stage === 'write' ? 'write' : 'open', message: text };
  if (kind === 'written' && isRecord(snapshot) && typeof snapshot['at'] === 'number') {
    return {
      kind,
      // The sink's own snapshot, as it got it.
      snapshot: snapshot as unknown as Snapshot,
      message: text,
      ...(typeof bytes === 'number' ? { bytes } : {}),
      ...(typeof leftOut === 'number' ? { leftOut } : {}),
    };
  }
  return {
    kind: 'warning',
    message: `The sink emitted an invalid report: ${escapeForLog(String(kind), 64)}`,
  };
};

/** Number of reports that pass at once, and milliseconds before another one may pass. */
const REPORTS_AT_ONCE = 5;
const MS_PER_REPORT = 60_000;

interface Limited {
  /** Number of reports that may pass at `at`. */
  readonly allowed: number;
  readonly at: number;
  readonly leftOut: number;
  /** Last failure of the sink, until it has written something. */
  readonly failure: string;
  readonly reports: readonly SinkReport[];
}

/**
 * Processes a report of the sink, or the text of its failure, each of which is reported once. Limits the rate, so that
 * a faulty sink cannot flood the log. `written` always passes, because it is logged at debug level only.
 */
const nextLimited = (before: Limited, { value, timestamp: at }: Timestamp<SinkReport | string>): Limited => {
  const isFailure = typeof value === 'string';
  if (!isFailure && value.kind === 'written') return { ...before, failure: '', reports: [value] };
  if (value === before.failure) return { ...before, reports: [] };
  const failure = isFailure ? value : before.failure;
  const report: SinkReport = isFailure ? { kind: 'failed', stage: 'open', message: value } : value;
  const allowed = Math.min(REPORTS_AT_ONCE, before.allowed + (at - before.at) / MS_PER_REPORT);
  if (allowed < 1) return { allowed, at, leftOut: before.leftOut + 1, failure, reports: [] };
  const message = `Too many reports: ${before.leftOut} were dropped`;
  const reports: readonly SinkReport[] = before.leftOut === 0 ? [report] : [{ kind: 'warning', message }, report];
  return { allowed: allowed - 1, at, leftOut: 0, failure, reports };
};

// Swallows errors thrown during teardown; otherwise one sink could keep the others from closing.
const endingQuietly = <T>(value$: Observable<T>): Observable<T> =>
  new Observable((subscriber) => {
    const subscription = value$.subscribe({
      next: (value) => subscriber.next(value),
      error: (error: unknown) => subscriber.error(error),
      complete: () => subscriber.complete(),
    });
    return () => {
      try {
        subscription.unsubscribe();
      } catch {
        // The sink is closed as far as possible.
      }
    };
  });

/**
 * Isolates the sink of a module: it gets frozen snapshots, its reports are checked, and if it throws, errors or
 * completes too early, that is reported and it is run again with backoff.
 */
export const sandboxed = (
  { name, run }: Sink,
  { scheduler, backoff = DEFAULT_BACKOFF }: { readonly scheduler: SchedulerLike; readonly backoff?: Backoff },
): Sink => ({
  name,
  run: (snapshot$) =>
    defer(() => {
      const end$ = new ReplaySubject<void>(1);
      const frozen$ = snapshot$.pipe(map(frozen), tap({ complete: () => end$.next() }));
      // A module may return an observable of another copy of RxJS.
      const attempt$ = defer(() => from(run(frozen$))).pipe(endingQuietly, map(reportOf));
      const endedByItself$ = throwError(() => new Error('The sink completed unexpectedly')).pipe(takeUntil(end$));
      return concat(attempt$, endedByItself$).pipe(
        retryWithBackoff({
          scheduler,
          backoff,
          report: (error) => of(escapeForLog(reasonOf(error), MAX_MESSAGE_LENGTH)),
          isWell: ({ kind }) => kind === 'written',
        }),
        timestamp(scheduler),
        scan(nextLimited, { allowed: REPORTS_AT_ONCE, at: scheduler.now(), leftOut: 0, failure: '', reports: [] }),
        mergeMap(({ reports }) => reports),
      );
    }),
});
