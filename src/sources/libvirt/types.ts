import type { Observable } from 'rxjs';

import type { DefinedDomain, Domain, DomainEvent } from '../../model/metric.ts';
import type { Result } from '../../model/result.ts';
import type { HostStatistic } from '../../model/statistics.ts';
import type { StatValue } from './typed-params.ts';

/** A statistic of the host that libvirt has. */
export type HostFact = Extract<HostStatistic, { readonly via: `vir${string}` }>['name'];

/** Its value, or why libvirt gives none. */
export type Fact = Result<number | string>;

/** What libvirt knows of the host, as far as it was asked. */
export type HostFacts = { readonly [Name in HostFact]?: Fact };

/**
 * A domain started, arrived by migration or resumed (`running`), was paused, or is not active any more (`gone`); its
 * persistent definition was made or changed (`defined`), or removed (`undefined`).
 */
export type LifecycleEvent = Extract<DomainEvent, { kind: 'running' | 'paused' | 'gone' | 'defined' | 'undefined' }>;

/** Statistics of one domain by libvirt's field names. */
export interface DomainStats {
  readonly domain: Domain;
  readonly fields: ReadonlyMap<string, StatValue>;
  /** The domain may have more, which it could not give now. */
  readonly partial?: boolean;
}

/**
 * An open read-only connection. Every call runs on a worker thread, emits once and completes, or fails with
 * a LibvirtError; a call that hangs is not taken back by unsubscribing, its late answer is only dropped.
 */
export interface Connection {
  /** The driver and the libvirt that answers, for messages, like `QEMU through libvirt 9.0.0`. */
  readonly product: string;
  /** What libvirt knows of the host now. What the driver does not support is a failed fact, not an error. */
  readonly host$: (wanted: readonly HostFact[]) => Observable<HostFacts>;
  /** Which events the driver reports at all; some drivers report none. */
  readonly reports: { readonly lifecycle: boolean; readonly devices: boolean };
  /** Lifecycle events in libvirt's order. Hot: list the domains after subscribing, and nothing is missed. */
  readonly lifecycle$: Observable<LifecycleEvent>;
  /** UUIDs of running domains that got or lost a device. Hot. */
  readonly devices$: Observable<string>;
  /** An answer says that a domain does not run of which this connection has not reported the end. Hot. */
  readonly doubt$: Observable<unknown>;
  /** All active domains. */
  readonly domains$: () => Observable<readonly Domain[]>;
  /** All domains with a persistent definition, running or not. */
  readonly defined$: () => Observable<readonly DefinedDomain[]>;
  /** The unix socket of the domain's channel by its live XML; undefined if it names none. */
  readonly channel$: (uuid: string) => Observable<string | undefined>;
  /** virDomainGetInfo: answers in under a millisecond even if the domain's QEMU is frozen. */
  readonly info$: (domain: Domain) => Observable<DomainStats>;
  /** Statistics groups (flags of STATS_GROUP) of several domains; those that have gone meanwhile are left out. */
  readonly stats$: (domains: readonly Domain[], groups: number) => Observable<readonly DomainStats[]>;
}
