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

/** Passes the reports of a target on, and runs a session with each of its writers until it is lost or replaced. */
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

/** Counts failures in a row, and says each different one once until something succeeds. */
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
 * A sink around a target that opens and writes. It holds the newest snapshot only, and delivers it as soon as the
 * target is open and idle. What fails is tried again with backoff, but a newer snapshot never waits for that. The
 * stream completes when the snapshots have completed and the last is delivered.
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
      // As values: a session ends before its target is closed, for that may fail what it writes.
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
