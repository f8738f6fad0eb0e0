import { map, type Observable, takeUntil } from 'rxjs';

import type { Domain, MetricDefinition, Reading } from '../model/metric.ts';
import type { DomainCollector, Sources } from '../sources/source.ts';
import { lifeOf, type Trigger } from './trigger.ts';

/** One call of a source. It covers one or more jobs; a job is what must never run twice at the same time. */
export interface Run {
  readonly jobs: readonly string[];
  readonly jobOf: (reading: Reading) => string;
  /** Whether a job may be started again once it has answered; else when the run completes. */
  readonly endsWithAnswer: boolean;
  readonly result$: Observable<readonly Reading[]>;
}

/** The life of the domain that a job is for. */
export const lifeOfJob = (job: string): string => job.slice(0, job.lastIndexOf('/'));

/** The sources that are asked, as opposed to those that speak up. */
export type Collecting = Pick<Sources, 'hostStats$' | 'isFromLibvirt' | 'domainCollectors' | 'action$'>;

/** What is known of the jobs, and of the domains that they are for. */
export interface Jobs {
  /** Claims a job; false if it still runs. */
  readonly start: (job: string) => boolean;
  /** Whether it overran before. */
  readonly isSlow: (job: string) => boolean;
  /** Emits when the domain has stopped. */
  readonly goneOf$: (domain: Domain) => Observable<unknown>;
}

const isDue =
  ({ cause, tick, reached }: Trigger, isFromLibvirt: Collecting['isFromLibvirt']) =>
  (metric: MetricDefinition): boolean => {
    if (reached && isFromLibvirt(metric)) return true;
    return cause === 'tick' ? tick % metric.every === 0 : metric.context === 'vm';
  };

const hostStatsRuns = (
  { hostStats$, isFromLibvirt }: Collecting,
  due: readonly MetricDefinition[],
  jobs: Jobs,
): readonly Run[] => {
  const all = due.filter(({ context, source }) => context === 'host' && source.kind === 'stat');
  const runOf = (job: string, metrics: readonly MetricDefinition[]): readonly Run[] =>
    metrics.length === 0 || !jobs.start(job)
      ? []
      : [{ jobs: [job], jobOf: () => job, endsWithAnswer: false, result$: hostStats$(metrics) }];
  // libvirt may hang: what it does not answer holds up nothing else.
  return [
    ...runOf(
      'host/stats',
      all.filter((metric) => !isFromLibvirt(metric)),
    ),
    ...runOf('host/libvirt', all.filter(isFromLibvirt)),
  ];
};

const actionRuns = (
  action$: Collecting['action$'],
  due: readonly MetricDefinition[],
  target: { readonly domain?: Domain },
  { start, isSlow, goneOf$ }: Jobs,
): readonly Run[] => {
  const { domain } = target;
  const context = domain === undefined ? 'host' : 'vm';
  const life = domain === undefined ? 'host' : lifeOf(domain);
  return due
    .filter((metric) => metric.source.kind === 'action' && metric.context === context)
    .map((metric) => ({ metric, job: `${life}/${metric.index}` }))
    .filter(({ job }) => start(job))
    .map(({ metric, job }): Run => {
      const outcome$ = action$({ metric, ...target, late: isSlow(job) });
      const reading$ = outcome$.pipe(map((outcome) => [{ metric, ...target, outcome }]));
      const result$ = domain === undefined ? reading$ : reading$.pipe(takeUntil(goneOf$(domain)));
      return { jobs: [job], jobOf: () => job, endsWithAnswer: false, result$ };
    });
};

const collectorRun = (
  { metrics, collect$ }: DomainCollector,
  index: number,
  due: readonly MetricDefinition[],
  candidates: readonly Domain[],
  jobs: Jobs,
): readonly Run[] => {
  const wanted = new Set(metrics.filter((metric) => due.includes(metric)));
  if (wanted.size === 0) return [];
  const jobOf = (domain: Domain): string => `${lifeOf(domain)}/stats${index}`;
  const domains = candidates.filter((domain) => jobs.start(jobOf(domain)));
  if (domains.length === 0) return [];
  const all$ = collect$(domains);
  return [
    {
      jobs: domains.map(jobOf),
      jobOf: ({ domain }) => (domain === undefined ? '' : jobOf(domain)),
      endsWithAnswer: true,
      result$:
        wanted.size === metrics.length
          ? all$
          : all$.pipe(map((readings) => readings.filter(({ metric }) => wanted.has(metric)))),
    },
  ];
};

/** All runs that a trigger calls for and that do not run yet. */
export const runs = (
  sources: Collecting,
  metrics: readonly MetricDefinition[],
  trigger: Trigger,
  jobs: Jobs,
): readonly Run[] => {
  const { isFromLibvirt, domainCollectors, action$ } = sources;
  const due = metrics.filter(isDue(trigger, isFromLibvirt));
  return [
    ...hostStatsRuns(sources, due, jobs),
    ...actionRuns(action$, due, {}, jobs),
    ...domainCollectors.flatMap((collector, index) => collectorRun(collector, index, due, trigger.due, jobs)),
    ...trigger.due.flatMap((domain) => actionRuns(action$, due, { domain }, jobs)),
  ];
};
