import {
  concat,
  concatMap,
  connect,
  defer,
  filter,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  type OperatorFunction,
  type SchedulerLike,
  takeUntil,
  tap,
  timer,
} from 'rxjs';

import { domainRunKey, type Domain, type MetricDefinition, type Reading } from '../model/metric.ts';
import { type Collecting, domainRunKeyOf, type Collection, collections } from './jobs.ts';
import type { Trigger } from './trigger.ts';

/** What one trigger's collection came to: once as a whole, then whatever was late, piece by piece. */
export interface Batch {
  readonly kind: 'whole' | 'late';
  readonly trigger: Trigger;
  readonly readings: readonly Reading[];
}

interface Progress {
  readonly readings: readonly Reading[];
  /** Jobs that nobody waits for any more. */
  readonly answered: readonly string[];
  /** Jobs that may be started again. */
  readonly ended: readonly string[];
}

const NO_NEWS: Progress = { readings: [], answered: [], ended: [] };

const dropGone = (jobs: Set<string>, gone: ReadonlySet<string>): void => {
  for (const job of jobs) if (gone.has(domainRunKeyOf(job))) jobs.delete(job);
};

// An action that is being killed has its outcome before its process is gone; statistics of many domains answer one by one.
const progress$ = ({ jobs, jobOf, result$, endsWithAnswer }: Collection): Observable<Progress> =>
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

/**
 * Collects for each trigger. The whole comes when all is in, at the latest after `patience`; what is late comes
 * when it arrives. What still runs is not started again; what overran once is not waited for until it is prompt again.
 */
export const poll = (
  sources: Collecting,
  metrics: readonly MetricDefinition[],
  patience: number,
  scheduler: SchedulerLike,
): OperatorFunction<Trigger, Batch> => {
  return connect((trigger$) =>
    defer(() => {
      const running = new Set<string>();
      const slow = new Set<string>();
      const goneOf$ = (domain: Domain): Observable<unknown> =>
        trigger$.pipe(filter(({ gone }) => gone.has(domainRunKey(domain))));

      const collect$ = (trigger: Trigger): Observable<Batch> =>
        defer(() => {
          const awaited = new Set<string>();
          const start = (job: string): boolean => {
            if (running.has(job)) return false;
            running.add(job);
            if (!slow.has(job)) awaited.add(job);
            return true;
          };
          const finish = ({ answered, ended }: Progress): void => {
            const prompt = scheduler.now() - trigger.at < patience;
            for (const job of answered) {
              awaited.delete(job);
              if (prompt) slow.delete(job);
            }
            for (const job of ended) running.delete(job);
          };
          const all = collections(sources, metrics, trigger, { start, isSlow: (job) => slow.has(job), goneOf$ });
          const gathered: Reading[] = [];
          let settled = false;
          return merge(...all.map(progress$), of(NO_NEWS)).pipe(
            tap(finish),
            connect((shared$) => {
              const complete$ = shared$.pipe(filter(() => awaited.size === 0));
              const overdue$ = timer(patience, scheduler).pipe(
                tap(() => {
                  for (const job of awaited) slow.add(job);
                  awaited.clear();
                }),
              );
              const gone$ = trigger$.pipe(
                filter(({ gone }) => gone.size > 0),
                tap(({ gone }) => dropGone(awaited, gone)),
              );
              const given$ = merge(overdue$, gone$).pipe(
                map(() => NO_NEWS),
                takeUntil(complete$),
              );
              return merge(shared$, given$);
            }),
            concatMap(({ readings }): readonly Batch[] => {
              if (settled) return readings.length > 0 ? [{ kind: 'late', trigger, readings }] : [];
              for (const reading of readings) gathered.push(reading);
              settled = awaited.size === 0;
              return settled ? [{ kind: 'whole', trigger, readings: gathered }] : [];
            }),
          );
        });

      return trigger$.pipe(
        tap(({ gone }) => {
          if (gone.size > 0) dropGone(slow, gone);
        }),
        filter(({ cause, reached, due }) => cause === 'tick' || reached || due.length > 0),
        mergeMap(collect$),
      );
    }),
  );
};
