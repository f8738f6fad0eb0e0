import {
  concat,
  connect,
  defer,
  EMPTY,
  filter,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  type OperatorFunction,
  type SchedulerLike,
  skip,
  skipWhile,
  takeUntil,
  takeWhile,
  tap,
  timer,
  toArray,
  withLatestFrom,
} from 'rxjs';

import { domainRunKey, type Domain, type MetricDefinition, type Reading } from '../model/metric.ts';
import { jobBook, type Progress } from './job-book.ts';
import { type Collecting, type Collection, collections } from './jobs.ts';
import type { Trigger } from './trigger.ts';

/** Results of one trigger's collection: the whole once, then late results one by one. */
export interface Batch {
  readonly kind: 'whole' | 'late';
  readonly trigger: Trigger;
  readonly readings: readonly Reading[];
}

interface News extends Progress {
  readonly readings: readonly Reading[];
}

const NO_NEWS: News = { readings: [], answered: [], ended: [] };

// A killed action has its outcome before its process is gone; bulk statistics arrive domain by domain.
const news$ = ({ jobs, jobOf, result$, endsWithAnswer }: Collection): Observable<News> =>
  defer(() => {
    const left = new Set(jobs);
    return concat(
      result$.pipe(
        map((readings) => {
          const answered = [...new Set(readings.map(jobOf))];
          return { readings, answered, ended: endsWithAnswer ? answered.filter((job) => left.delete(job)) : [] };
        }),
      ),
      defer(() => of({ readings: [], answered: [...left], ended: [...left] })),
    );
  });

// Results up to the end of the wait are one batch; later ones are late.
const batches =
  (trigger: Trigger, isWhole: () => boolean): OperatorFunction<News, Batch> =>
  (news$) =>
    news$.pipe(
      map(({ readings }) => ({ readings, whole: isWhole() })),
      connect((shared$) =>
        merge(
          shared$.pipe(
            takeWhile(({ whole }) => !whole, true),
            map(({ readings }) => readings),
            toArray(),
            map((all): Batch => ({ kind: 'whole', trigger, readings: all.flat() })),
          ),
          shared$.pipe(
            skipWhile(({ whole }) => !whole),
            skip(1),
            filter(({ readings }) => readings.length > 0),
            map(({ readings }): Batch => ({ kind: 'late', trigger, readings })),
          ),
        ),
      ),
    );

/**
 * Collects for each trigger. Emits the whole when all awaited jobs have answered, at the latest after `patience`, then
 * late results as they arrive. A running job is not started again; one that overran is not awaited until it is prompt.
 */
export const poll = (
  sources: Collecting,
  metrics: readonly MetricDefinition[],
  patience: number,
  scheduler: SchedulerLike,
): OperatorFunction<Trigger, Batch> =>
  connect((trigger$) =>
    defer(() => {
      const book = jobBook();
      const goneOf$ = (domain: Domain): Observable<unknown> =>
        trigger$.pipe(filter(({ gone }) => gone.has(domainRunKey(domain))));

      const collect$ = (trigger: Trigger): Observable<Batch> =>
        defer(() => {
          const { start, finish, giveUp, drop, isWhole } = book.begin();
          const all = collections(sources, metrics, trigger, { start, isSlow: book.isSlow, goneOf$ });
          return merge(...all.map(news$), of(NO_NEWS)).pipe(
            tap((news) => finish(news, scheduler.now() - trigger.at < patience)),
            connect((shared$) => {
              const complete$ = shared$.pipe(filter(isWhole));
              const overdue$ = timer(patience, scheduler).pipe(tap(giveUp));
              const gone$ = trigger$.pipe(
                filter(({ gone }) => gone.size > 0),
                tap(({ gone }) => drop(gone)),
              );
              const given$ = merge(overdue$, gone$).pipe(
                map(() => NO_NEWS),
                takeUntil(complete$),
              );
              return merge(shared$, given$);
            }),
            batches(trigger, isWhole),
          );
        });

      // A reading that arrives without a question is like a late one of the latest trigger.
      const unasked$ = merge(...sources.domainCollectors.map((collector) => collector.news$ ?? EMPTY)).pipe(
        withLatestFrom(trigger$),
        map(([readings, trigger]): Batch => ({ kind: 'late', trigger, readings })),
      );
      return merge(
        unasked$,
        trigger$.pipe(
          tap(({ gone }) => book.drop(gone)),
          filter(({ cause, reached, due }) => cause === 'tick' || reached || due.length > 0),
          mergeMap(collect$),
        ),
      );
    }),
  );
