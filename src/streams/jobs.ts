import { map, type Observable, takeUntil } from 'rxjs';

import { domainRunKey, type Domain, type MetricDefinition, type Reading } from '../model/metric.ts';
import { isOvercommit } from '../model/statistics.ts';
import type { DomainCollector, Sources } from '../sources/source.ts';
import type { Trigger } from './trigger.ts';

/** One call of a source, for one or more jobs. A job never runs twice at the same time. */
export interface Collection {
  readonly jobs: readonly string[];
  readonly jobOf: (reading: Reading) => string;
  /** True if a job may start again after its answer; else it may when the call completes. */
  readonly endsWithAnswer: boolean;
  readonly result$: Observable<readonly Reading[]>;
}

/** Returns the `domainRunKey` of the domain of a job. */
export const domainRunKeyOf = (job: string): string => job.slice(0, job.lastIndexOf('/'));

/** The sources that are called, unlike those that emit events. */
export type Collecting = Pick<Sources, 'hostStats$' | 'isFromLibvirt' | 'domainCollectors' | 'action$'>;

/** State of jobs and of their domains. */
export interface Jobs {
  /** Starts a job; false if it still runs. */
  readonly start: (job: string) => boolean;
  /** True if the job overran before. */
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

const hostStatsCollections = (
  { hostStats$, isFromLibvirt }: Collecting,
  due: readonly MetricDefinition[],
  { connected, domains }: Trigger['inventory'],
  jobs: Jobs,
): readonly Collection[] => {
  const running = connected ? domains : undefined;
  const all = due.filter(({ context, source }) => context === 'host' && source.kind === 'stat');
  const collectionOf = (job: string, metrics: readonly MetricDefinition[]): readonly Collection[] =>
    metrics.length === 0 || !jobs.start(job)
      ? []
      : [{ jobs: [job], jobOf: () => job, endsWithAnswer: false, result$: hostStats$(metrics, running) }];
  // Separate calls, because libvirt may hang and must not delay the others.
  return [
    ...collectionOf(
      'host/stats',
      all.filter((metric) => !isFromLibvirt(metric) && !isOvercommit(metric)),
    ),
    ...collectionOf(
      'host/libvirt',
      all.filter((metric) => isFromLibvirt(metric) && !isOvercommit(metric)),
    ),
    ...collectionOf('host/domains', all.filter(isOvercommit)),
  ];
};

const actionCollections = (
  action$: Collecting['action$'],
  due: readonly MetricDefinition[],
  target: { readonly domain?: Domain },
  { start, isSlow, goneOf$ }: Jobs,
): readonly Collection[] => {
  const { domain } = target;
  const context = domain === undefined ? 'host' : 'vm';
  const life = domain === undefined ? 'host' : domainRunKey(domain);
  return due
    .filter((metric) => metric.source.kind === 'action' && metric.context === context)
    .map((metric) => ({ metric, job: `${life}/${metric.index}` }))
    .filter(({ job }) => start(job))
    .map(({ metric, job }): Collection => {
      const outcome$ = action$({ metric, ...target, late: isSlow(job) });
      const reading$ = outcome$.pipe(map((outcome) => [{ metric, ...target, outcome }]));
      const result$ = domain === undefined ? reading$ : reading$.pipe(takeUntil(goneOf$(domain)));
      return { jobs: [job], jobOf: () => job, endsWithAnswer: false, result$ };
    });
};

const collectorCollection = (
  { metrics, collect$ }: DomainCollector,
  index: number,
  due: readonly MetricDefinition[],
  candidates: readonly Domain[],
  jobs: Jobs,
): readonly Collection[] => {
  const wanted = new Set(metrics.filter((metric) => due.includes(metric)));
  if (wanted.size === 0) return [];
  const started = new Map(
    candidates
      .map((domain) => [domain, `${domainRunKey(domain)}/stats${index}`] as const)
      .filter(([, job]) => jobs.start(job)),
  );
  if (started.size === 0) return [];
  const all$ = collect$([...started.keys()]);
  return [
    {
      jobs: [...started.values()],
      jobOf: ({ domain }) => (domain && started.get(domain)) ?? '',
      endsWithAnswer: true,
      result$:
        wanted.size === metrics.length
          ? all$
          : all$.pipe(map((readings) => readings.filter(({ metric }) => wanted.has(metric)))),
    },
  ];
};

/** Returns the calls that are due at a trigger, without jobs that still run. */
export const collections = (
  sources: Collecting,
  metrics: readonly MetricDefinition[],
  trigger: Trigger,
  jobs: Jobs,
): readonly Collection[] => {
  const { isFromLibvirt, domainCollectors, action$ } = sources;
  const due = metrics.filter(isDue(trigger, isFromLibvirt));
  return [
    ...hostStatsCollections(sources, due, trigger.inventory, jobs),
    ...actionCollections(action$, due, {}, jobs),
    ...domainCollectors.flatMap((collector, index) => collectorCollection(collector, index, due, trigger.due, jobs)),
    ...trigger.due.flatMap((domain) => actionCollections(action$, due, { domain }, jobs)),
  ];
};
