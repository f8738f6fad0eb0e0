import type { Observable } from 'rxjs';

import type { Domain, DomainEvent, MetricDefinition, Outcome, Reading } from '../model/metric.ts';

/** Collects the same metrics from any set of domains, in batches as they come in; completes when all have answered. Never errors. */
export interface DomainCollector {
  readonly metrics: readonly MetricDefinition[];
  readonly collect$: (domains: readonly Domain[]) => Observable<readonly Reading[]>;
}

/** One run of one action: for the host, or for a domain. */
export interface ActionRequest {
  readonly metric: MetricDefinition;
  readonly domain?: Domain;
  /** It overran before: nobody waits for it, and it must not take the place of those that are prompt. */
  readonly late: boolean;
}

/** All that the streams know of the outside. Everything is an observable that never errors: a failure is a value. */
export interface Sources {
  /** Numbers of the points of the grid. */
  readonly tick$: Observable<number>;
  readonly domain$: Observable<DomainEvent>;
  /** Emits one batch and completes; those that come from libvirt are asked for apart, since it may hang. */
  readonly hostStats$: (metrics: readonly MetricDefinition[]) => Observable<readonly Reading[]>;
  /** The host metric comes from libvirt, and so is collected also as soon as that can be asked (again). */
  readonly isFromLibvirt: (metric: MetricDefinition) => boolean;
  readonly domainCollectors: readonly DomainCollector[];
  /** Emits one outcome and completes; unsubscribing kills the process. */
  readonly action$: (request: ActionRequest) => Observable<Outcome>;
}
