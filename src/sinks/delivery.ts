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
  of,
  ReplaySubject,
  retry,
  startWith,
  switchMap,
  takeUntil,
  takeWhile,
  tap,
  throwError,
  timer,
} from 'rxjs';
import type { Observable, OperatorFunction, SchedulerLike } from 'rxjs';

import { exhaustMapLatest } from '../rx/exhaust-map-latest.ts';
import { type Backoff, waitOf } from '../rx/retry-with-backoff.ts';
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

/** Counts consecutive failures and reports each distinct one once until something succeeds. */
const troubles = (backoff: Backoff) => {
  let failures = 0;
  let said = '';
  return {
    failed$: (stage: 'open' | 'write', error: unknown): Observable<SinkReport> => {
      const message = reasonOf(error);
      const before = said;
      said = `${stage}: ${message}`;
      return said === before ? EMPTY : of({ kind: 'failed', stage, message });
    },
    wait: (): number => waitOf(backoff, failures++),
    opened: (): void => {
      said = '';
    },
    written: (): void => {
      failures = 0;
      said = '';
    },
  };
};

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
    const trouble = troubles(backoff);
    const newer$ = (than: Snapshot) => newest$.pipe(filter((snapshot) => snapshot !== than));
    const lost$ = (error: unknown): Observable<Item> =>
      concat(
        of(LOST),
        trouble.failed$('open', error),
        throwError(() => error),
      );
    const target$ = open$.pipe(
      // Errors become values, so that a session ends before its target closes: closing may make its write fail.
      materialize(),
      concatMap((event): Observable<Item> => {
        if (event.kind === 'N') return of(event.value);
        return event.kind === 'E' ? lost$(event.error) : EMPTY;
      }),
      retry({ delay: () => timer(trouble.wait(), scheduler) }),
    );
    const write$ = (writer: Writer, snapshot: Snapshot) =>
      defer(() => writer.write$(snapshot)).pipe(
        tap({ complete: trouble.written }),
        catchError((error: unknown) =>
          concat(
            trouble.failed$('write', error),
            throwError(() => error),
          ),
        ),
        retry({ delay: () => timer(trouble.wait(), scheduler).pipe(takeUntil(newer$(snapshot))) }),
      );
    const session$ = (writer: Writer) => {
      trouble.opened();
      return newest$.pipe(
        exhaustMapLatest((snapshot) => write$(writer, snapshot)),
        startWith<SinkReport>({ kind: 'opened', message: writer.opened ?? 'Opened' }),
        endWith<SinkReport | typeof DONE>(DONE),
      );
    };
    return target$.pipe(sessions(session$));
  };
  return {
    name,
    run: (snapshot$) =>
      snapshot$.pipe(
        connect((newest$) => merge(newest$.pipe(ignoreElements()), deliver$(newest$)), {
          connector: () => new ReplaySubject<Snapshot>(1),
        }),
        takeWhile((item): item is SinkReport => item !== DONE),
      ),
  };
};
