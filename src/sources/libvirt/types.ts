import type { Observable } from 'rxjs';

import type { DefinedDomain, Domain, DomainEvent } from '../../model/metric.ts';
import type { Result } from '../../model/result.ts';
import type { HostStatistic } from '../../model/statistics.ts';
import type { DomainChange, Job } from './domain-changes.ts';
import type { QemuProcess } from './qemu-process.ts';
import type { StatValue } from './typed-params.ts';

/** A statistic of the host from libvirt's calls about the host. */
export type HostFact = Extract<HostStatistic, { readonly via: `vir${'Connect' | 'Node'}${string}` }>['name'];

/** Value of a fact, or the reason why there is none. */
export type Fact = Result<number | string>;

/** Facts of the host that were queried. */
export type HostFacts = { readonly [Name in HostFact]?: Fact };

/**
 * A domain started, arrived by migration or resumed (`running`), was paused, or has ended (`gone`); its persistent
 * definition was made or changed (`defined`), or removed (`undefined`).
 */
export type LifecycleEvent = Extract<DomainEvent, { kind: 'running' | 'paused' | 'gone' | 'defined' | 'undefined' }>;

/** Statistics of one domain by libvirt's field names. */
export interface DomainStats {
  readonly domain: Domain;
  readonly fields: ReadonlyMap<string, StatValue>;
  /** True if the domain may have more statistics than this answer. */
  readonly partial?: boolean;
}

/**
 * An open read-only connection. Every call runs on a worker thread, emits once and completes, or errors with a
 * LibvirtError. Unsubscribing does not cancel a call; it only drops its answer.
 */
export interface Connection {
  /** Driver and version of libvirt, for messages: `QEMU through libvirt 9.0.0`. */
  readonly product: string;
  /** Current facts of the host. A fact that the driver does not support is a failed fact, not an error. */
  readonly host$: (wanted: readonly HostFact[]) => Observable<HostFacts>;
  /** Kinds of events that the driver reports; some drivers report none. */
  readonly reports: { readonly lifecycle: boolean; readonly devices: boolean };
  /** Lifecycle events in libvirt's order. Hot: list the domains after subscribing to miss none. */
  readonly lifecycle$: Observable<LifecycleEvent>;
  /** UUIDs of running domains that got or lost a device. Hot. */
  readonly devices$: Observable<string>;
  /** Other changes of domains that the driver reports. Hot; libvirt is asked for them at the first subscription. */
  readonly change$: Observable<DomainChange>;
  /** Emits when an answer shows that a domain does not run whose end was not reported. Hot. */
  readonly doubt$: Observable<unknown>;
  /** All active domains. */
  readonly domains$: () => Observable<readonly Domain[]>;
  /** All domains with a persistent definition, running or not. */
  readonly defined$: () => Observable<readonly DefinedDomain[]>;
  /** Unix socket of the domain's channel in its live XML, or undefined. */
  readonly channel$: (uuid: string) => Observable<string | undefined>;
  /** virDomainGetInfo, which answers within a millisecond even if the domain's QEMU is frozen. */
  readonly info$: (domain: Domain) => Observable<DomainStats>;
  /** The same without a call, where that is possible; the same object as before if nothing has changed. */
  readonly localInfo?: (domain: Domain) => DomainStats | undefined;
  /** The process of a domain on this host, once `info$` has verified it; it stays that of the connection. */
  readonly process?: (domain: Domain) => QemuProcess | undefined;
  /** Statistics of several domains by groups (flags of STATS_GROUP), without domains that have ended. */
  readonly stats$: (domains: readonly Domain[], groups: number) => Observable<readonly DomainStats[]>;
  /** The live XML of a domain, without secrets. */
  readonly xml$: (domain: Domain) => Observable<string>;
  /** True if another call holds the domain: one that needs it would wait, for as long as QEMU is frozen. */
  readonly isHeld$: (domain: Domain) => Observable<boolean>;
  /** The job of a domain, or undefined. */
  readonly job$: (domain: Domain) => Observable<Job | undefined>;
  /** The job of one of its disks, by the name of its target, or undefined. */
  readonly blockJob$: (domain: Domain, disk: string) => Observable<Job | undefined>;
}
