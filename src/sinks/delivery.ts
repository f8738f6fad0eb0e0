import {
  catchError,
  concat,
  concatMap,
  connect,
  defer,
  EMPTY,
  endWith,
  filter,
  ignoreElements,
  materialize,
  merge,
  mergeMap,
  of,
  ReplaySubject,
  scan,
  startWith,
  switchMap,
  takeWhile,
  throwError,
} from 'rxjs';
import type { Observable, OperatorFunction, SchedulerLike } from 'rxjs';

import { exhaustMapLatest } from '../rx/exhaust-map-latest.ts';
import { type Backoff, retryWithBackoff } from '../rx/retry-with-backoff.ts';
import type { Snapshot } from '../model/metric.ts';
import type { Opener, Sink, SinkReport, Writer } from './sink.ts';
import { reasonOf } from '../model/reason.ts';

const DEFAULT_BACKOFF: Backoff = { first: 1000, most: 30_000 };

const LOST = Symbol('the target is lost');
const DONE = Symbol('everything is delivered');
type Item = Writer | SinkReport | typeof LOST;

const isWriter = (item: Item): item is Writer => item !== LOST && 'write$' in item;
const isReport = (item: Item): item is SinkReport => item !== LOST && 'kind' in item;

/** Passes reports of the target on, and runs one session per writer until the target is lost or replaced. */
const sessions =
  <R>(session$: (writer: Writer) => Observable<R>): OperatorFunction<Item, SinkReport | R> =>
  (item$) =>
    item$.pipe(
      connect((shared$) =>
        merge(
          shared$.pipe(filter(isReport)),
          shared$.pipe(
            filter((item) => !isReport(item)),
            switchMap((item) => (isWriter(item) ? session$(item) : EMPTY)),
          ),
        ),
      ),
    );

interface Reporting {
  /** The failure that was reported last, until something succeeds. */
  readonly failure: string;
  readonly reports: readonly SinkReport[];
}

/** Drops a failure that was reported already. */
const nextReporting = ({ failure: before }: Reporting, report: SinkReport): Reporting => {
  if (report.kind === 'warning') return { failure: before, reports: [report] };
  const failure = report.kind === 'failed' ? `${report.stage}: ${report.message}` : '';
  return { failure, reports: failure !== '' && failure === before ? [] : [report] };
};

const failed =
  (stage: 'open' | 'write') =>
  (error: unknown): Observable<SinkReport> =>
    of({ kind: 'failed', stage, message: reasonOf(error) });

const isWritten = ({ kind }: SinkReport): boolean => kind === 'written';

/**
 * Makes a sink of a target that can be slow, full or away. It keeps only the newest snapshot and delivers it when the
 * target is open and idle. Failed opens and writes are retried with backoff (1 s, doubling up to 30 s), but a newer
 * snapshot does not wait for that. Each distinct failure is reported once. Writes have no time limit: give `write$` a
 * `timeout`.
 *
 * @param name - Name in the log.
 * @param open$ - Opens the target, see {@link Opener}.
 * @param context - The {@link SinkContext} of `make`; a test may add a shorter {@link Backoff}.
 * @returns A sink that completes after the last snapshot was delivered, and errors only if the snapshots do.
 *
 * @example
 * ```ts
 * import { appendFile } from 'node:fs/promises';
 * import { defer, map, of, timeout } from 'rxjs';
 * import { defineSink, deliverLatest, type Opener, type Snapshot } from 'vhostmd';
 *
 * export default defineSink({
 *   name: 'append',
 *   options: { file: { type: 'text', required: true } },
 *   make: ({ file }, context) => {
 *     const write$ = (snapshot: Snapshot) =>
 *       defer(() => appendFile(file, `${JSON.stringify(snapshot.host)}\n`)).pipe(
 *         timeout({ first: 5000, scheduler: context.scheduler }),
 *         map(() => ({ kind: 'written', snapshot, message: `Appended to ${file}` }) as const),
 *       );
 *     const open$: Opener = of({ opened: `Appending to ${file}`, write$ });
 *     return deliverLatest('append', open$, context);
 *   },
 * });
 * ```
 */
export const deliverLatest = (
  name: string,
  open$: Opener,
  { scheduler, backoff = DEFAULT_BACKOFF }: { readonly scheduler: SchedulerLike; readonly backoff?: Backoff },
): Sink => {
  const deliver$ = (newest$: Observable<Snapshot>) => {
    // The cause of its error is the snapshot that was not written.
    const write$ = (writer: Writer, snapshot: Snapshot): Observable<SinkReport> =>
      defer(() => writer.write$(snapshot)).pipe(
        catchError((error: unknown) => throwError(() => new Error(reasonOf(error), { cause: snapshot }))),
      );
    const newer$ = (error: unknown): Observable<Snapshot> =>
      newest$.pipe(filter((snapshot) => error instanceof Error && snapshot !== error.cause));
    const session$ = (writer: Writer): Observable<SinkReport | typeof DONE> =>
      newest$.pipe(
        exhaustMapLatest((snapshot) => write$(writer, snapshot)),
        retryWithBackoff({ scheduler, backoff, report: failed('write'), isWell: isWritten, sooner$: newer$ }),
        startWith<SinkReport>({ kind: 'opened', message: writer.opened ?? 'Opened' }),
        endWith(DONE),
      );
    const lost$ = (error: unknown): Observable<Item> =>
      concat(
        of(LOST),
        throwError(() => error),
      );
    return open$.pipe(
      // Errors become values, so that a session ends before its target closes: closing may make its write fail.
      materialize(),
      concatMap((event): Observable<Item> => {
        if (event.kind === 'N') return of(event.value);
        return event.kind === 'E' ? lost$(event.error) : EMPTY;
      }),
      sessions(session$),
      retryWithBackoff({
        scheduler,
        backoff,
        report: failed('open'),
        isWell: (item) => item !== DONE && isWritten(item),
      }),
    );
  };
  return {
    name,
    run: (snapshot$) =>
      snapshot$.pipe(
        connect((newest$) => merge(newest$.pipe(ignoreElements()), deliver$(newest$)), {
          connector: () => new ReplaySubject<Snapshot>(1),
        }),
        takeWhile((item): item is SinkReport => item !== DONE),
        scan(nextReporting, { failure: '', reports: [] }),
        mergeMap(({ reports }) => reports),
      ),
  };
};
