import { concat, concatMap, defer, EMPTY, from, map, Observable, tap, throwError } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import type { Snapshot } from '../../model/metric.ts';
import { reasonOf } from '../../model/reason.ts';
import { escapeForLog } from '../../model/value.ts';
import { type Backoff, retryWithBackoff } from '../../rx/retry-with-backoff.ts';
import type { Sink, SinkReport } from '../sink.ts';

const DEFAULT_BACKOFF: Backoff = { first: 1000, most: 30_000 };
const MESSAGE = 512;

/** Freezes a value and all that it holds; what is frozen already is taken to be so throughout. */
const frozen = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

// What comes from others may be anything; the log and the daemon rely on the shape.
const reportOf = (report: unknown): SinkReport => {
  const { kind, message, snapshot, stage, bytes, leftOut } = isRecord(report) ? report : {};
  const text = escapeForLog(typeof message === 'string' ? message : '', MESSAGE);
  if (kind === 'opened' || kind === 'warning') return { kind, message: text };
  if (kind === 'failed') return { kind, stage: stage === 'write' ? 'write' : 'open', message: text };
  if (kind === 'written' && isRecord(snapshot) && typeof snapshot['at'] === 'number') {
    return {
      kind,
      // Its own snapshot, as it was given to it.
      snapshot: snapshot as unknown as Snapshot,
      message: text,
      ...(typeof bytes === 'number' ? { bytes } : {}),
      ...(typeof leftOut === 'number' ? { leftOut } : {}),
    };
  }
  return {
    kind: 'warning',
    message: `The sink reported something that is no report: ${escapeForLog(String(kind), 64)}`,
  };
};

/** Reports of trouble that go out at once, and how long each further one has to wait, in milliseconds. */
const BURST = 5;
const PAUSE = 60_000;

// Rate-limits reports so that a faulty sink cannot flood the log. `written` passes: it is logged at debug level only.
const quieter = (scheduler: SchedulerLike) => {
  let allowed = BURST;
  let at = scheduler.now();
  let leftOut = 0;
  return (report: SinkReport): readonly SinkReport[] => {
    if (report.kind === 'written') return [report];
    const now = scheduler.now();
    allowed = Math.min(BURST, allowed + (now - at) / PAUSE);
    at = now;
    if (allowed < 1) {
      leftOut += 1;
      return [];
    }
    allowed -= 1;
    if (leftOut === 0) return [report];
    const message = `It reports too much: ${leftOut} reports are left out here`;
    leftOut = 0;
    return [{ kind: 'warning', message }, report];
  };
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
        // It is closed, as far as it can be.
      }
    };
  });

/**
 * Somebody else's sink, from which nothing gets out: it sees frozen snapshots, its reports are checked, and if it throws,
 * fails or ends by itself it is reported and run again with backoff.
 */
export const sandboxed = (
  { name, run }: Sink,
  { scheduler, backoff = DEFAULT_BACKOFF }: { readonly scheduler: SchedulerLike; readonly backoff?: Backoff },
): Sink => ({
  name,
  run: (snapshot$) =>
    defer(() => {
      let said = '';
      let completed = false;
      const quiet = quieter(scheduler);
      const frozen$ = snapshot$.pipe(map(frozen), tap({ complete: () => (completed = true) }));
      const isWell = ({ kind }: SinkReport): boolean => kind === 'written';
      const noted = (report: SinkReport): void => {
        if (isWell(report)) said = '';
      };
      const failed$ = (error: unknown): Observable<SinkReport> => {
        const message = escapeForLog(reasonOf(error), MESSAGE);
        if (message === said) return EMPTY;
        said = message;
        return from(quiet({ kind: 'failed', stage: 'open', message }));
      };
      // Its observables may be those of another copy of RxJS.
      const attempt$ = defer(() => from(run(frozen$))).pipe(endingQuietly, map(reportOf), tap(noted), concatMap(quiet));
      const ended$ = defer(() => (completed ? EMPTY : throwError(() => new Error('The sink has ended by itself'))));
      return concat(attempt$, ended$).pipe(retryWithBackoff({ scheduler, backoff, report: failed$, isWell }));
    }),
});
