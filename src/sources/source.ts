import type { Observable } from 'rxjs';

import type { Domain, DomainEvent, MetricDefinition, Outcome, Reading } from '../model/metric.ts';

/** Collects the same metrics from any set of domains. Emits batches as they arrive, then completes. Never errors. */
export interface DomainCollector {
  readonly metrics: readonly MetricDefinition[];
  readonly collect$: (domains: readonly Domain[]) => Observable<readonly Reading[]>;
  /** Readings that arrive without a question, because libvirt has reported a change. Never errors. */
  readonly news$?: Observable<readonly Reading[]>;
}

/** Request to run an action once, for the host or for a domain. */
export interface ActionRequest {
  readonly metric: MetricDefinition;
  readonly domain?: Domain;
  /** True if it overran before: it must not take the place of prompt ones. */
  readonly late: boolean;
}

/** Inputs of the streams. All observables never error: a failure is a value. */
export interface Sources {
  /** Numbers of the points of the grid. */
  readonly tick$: Observable<number>;
  readonly domain$: Observable<DomainEvent>;
  /**
   * Emits one batch and completes. Statistics of libvirt need a call of their own, because it may hang. `running`: all
   * domains that run; absent while libvirt is away.
   */
  readonly hostStats$: (
    metrics: readonly MetricDefinition[],
    running?: readonly Domain[],
  ) => Observable<readonly Reading[]>;
  /** True for a host metric from libvirt, which is also collected when libvirt becomes available (again). */
  readonly isFromLibvirt: (metric: MetricDefinition) => boolean;
  readonly domainCollectors: readonly DomainCollector[];
  /** Emits one outcome and completes; unsubscribing kills the process. */
  readonly action$: (request: ActionRequest) => Observable<Outcome>;
}
