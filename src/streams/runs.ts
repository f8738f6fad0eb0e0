import { map, type Observable, takeUntil } from 'rxjs';

import type { Domain, MetricDefinition, Reading } from '../metric.ts';
import type { Sources } from '../sources/source.ts';
import { lifeOf, type Trigger } from './trigger.ts';

/** One call of a source. It covers one or more jobs; a job is what must never run twice at the same time. */
export interface Run {
  readonly jobs: readonly string[];
  readonly jobOf: (reading: Reading) => string;
  readonly result$: Observable<readonly Reading[]>;
}

/** The life of the domain that a job is for. */
export const lifeOfJob = (job: string): string => job.slice(0, job.lastIndexOf('/'));

/** The sources that are asked, as opposed to those that speak up. */
export type Collecting = Pick<Sources, 'hostStats$' | 'domainCollectors' | 'action$'>;

const isDue =
  ({ cause, tick }: Trigger) =>
  ({ every }: MetricDefinition): boolean =>
    cause === 'domains' || tick % every === 0;

/** All runs that a trigger calls for; `start` claims a job and is false if it still runs, `isSlow` if it overran before. */
export const runs = (
  sources: Collecting,
  metrics: readonly MetricDefinition[],
  trigger: Trigger,
  goneOf$: (domain: Domain) => Observable<unknown>,
  start: (job: string) => boolean,
  isSlow: (job: string) => boolean,
): readonly Run[] => {
  const due = metrics.filter(isDue(trigger));
  const all: Run[] = [];
  const actions = (of: 'host' | Domain): void => {
    const domain = of === 'host' ? undefined : of;
    const target = domain === undefined ? 'host' : lifeOf(domain);
    for (const metric of due) {
      if (metric.source.kind !== 'action' || (metric.context === 'host') !== (domain === undefined)) continue;
      const job = `${target}/${metric.index}`;
      if (!start(job)) continue;
      const about = domain === undefined ? {} : { domain };
      const outcome$ = sources.action$({ metric, ...about, late: isSlow(job) });
      const reading$ = outcome$.pipe(map((outcome) => [{ metric, ...about, outcome }]));
      all.push({
        jobs: [job],
        jobOf: () => job,
        result$: domain === undefined ? reading$ : reading$.pipe(takeUntil(goneOf$(domain))),
      });
    }
  };
  if (trigger.cause === 'tick') {
    const stats = due.filter(({ context, source }) => context === 'host' && source.kind === 'stat');
    if (stats.length > 0 && start('host'))
      all.push({ jobs: ['host'], jobOf: () => 'host', result$: sources.hostStats$(stats) });
    actions('host');
  }
  sources.domainCollectors.forEach(({ metrics: collected, collect$ }, index) => {
    const wanted = new Set(collected.filter((metric) => due.includes(metric)));
    if (wanted.size === 0) return;
    const jobOf = (domain: Domain): string => `${lifeOf(domain)}/stats${index}`;
    const domains = trigger.due.filter((domain) => start(jobOf(domain)));
    if (domains.length === 0) return;
    const result$ = collect$(domains);
    all.push({
      jobs: domains.map(jobOf),
      jobOf: ({ domain }) => (domain === undefined ? '' : jobOf(domain)),
      result$:
        wanted.size === collected.length
          ? result$
          : result$.pipe(map((readings) => readings.filter(({ metric }) => wanted.has(metric)))),
    });
  });
  trigger.due.forEach(actions);
  return all;
};
