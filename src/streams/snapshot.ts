import {
  connect,
  defer,
  distinctUntilChanged,
  filter,
  map,
  merge,
  type Observable,
  type OperatorFunction,
  scan,
  type SchedulerLike,
  throttleTime,
  timer,
  withLatestFrom,
} from 'rxjs';

import type { MetricDefinition, Snapshot } from '../model/metric.ts';
import { isVerdict } from '../model/statistics.ts';
import type { Sources } from '../sources/source.ts';
import { snapshotOf } from './build-snapshot.ts';
import { COALESCE } from './inventory.ts';
import { poll } from './poll.ts';
import { initialState, type Message, nextState, OVERDUE, type State } from './snapshot-state.ts';
import { trigger$ } from './trigger.ts';
import { verdicts } from './verdicts.ts';

/** Longest waits of a snapshot for its last value, in milliseconds. */
export interface Patience {
  /** For a tick, or for a domain that has started. */
  readonly patience: number;
  /** For the first snapshot, from the start. */
  readonly start: number;
}

/** Returns the waits for a period: 1 s, or half a period if that is less; 5 s for the first snapshot. */
export const patienceOf = (period: number): Patience => ({ patience: Math.min(1000, period / 2), start: 5000 });

/** True if two snapshots have the same content; unchanged parts are the same objects. */
const sameContent = (a: Snapshot, b: Snapshot): boolean =>
  a.host === b.host &&
  a.domains === b.domains &&
  a.domainMetrics.length === b.domainMetrics.length &&
  a.domainMetrics.every((entry, at) => entry === b.domainMetrics[at]);

// A tick is always published; a change only if the content differs, at once after a quiet time, else coalesced.
const published = (scheduler: SchedulerLike): OperatorFunction<State, Snapshot> =>
  connect((state$) => {
    const due$ = state$.pipe(
      map(({ due }) => due),
      filter((due) => due !== undefined),
    );
    return merge(
      due$.pipe(filter(({ cause }) => cause === 'tick')),
      due$.pipe(
        filter(({ cause }) => cause === 'change'),
        throttleTime(COALESCE, scheduler, { leading: true, trailing: true }),
      ),
    ).pipe(
      withLatestFrom(state$),
      scan((before: Snapshot | undefined, [due, state]) => snapshotOf(state, due, before), undefined),
      filter((snapshot) => snapshot !== undefined),
      distinctUntilChanged((last, snapshot) => snapshot.cause === 'change' && sameContent(last, snapshot)),
    );
  });

/**
 * Makes the stream of snapshots from the sources. `period`: milliseconds between ticks. The first snapshot is complete,
 * so that a reader of the disk loses nothing at a restart, unless a value takes longer than `start`.
 */
export const snapshot$ = (
  sources: Sources,
  metrics: readonly MetricDefinition[],
  period: number,
  scheduler: SchedulerLike,
  { patience, start }: Patience = patienceOf(period),
): Observable<Snapshot> =>
  defer(() => {
    const collected = metrics.filter((metric) => !isVerdict(metric));
    return trigger$(sources.tick$, sources.domain$, patience, scheduler).pipe(
      connect((shared$) => merge(shared$, shared$.pipe(poll(sources, collected, patience, scheduler)))),
      (message$) => merge(message$, timer(start, scheduler).pipe(map((): Message => OVERDUE))),
      scan((state: State, message: Message) => nextState(state, message, scheduler.now()), initialState(collected)),
      published(scheduler),
      verdicts(metrics),
    );
  });
