import type { Observable } from 'rxjs';

import type { DefinedDomain, Domain, DomainEvent } from '../../metric.ts';
import type { StatValue } from './typed-params.ts';

/** What libvirt says about the host. */
export interface NodeInfo {
  /** Hypervisor and version of libvirt's API, like `QEMU 9.0.0` ("Using API" of `virsh version`). */
  readonly product: string;
  /** Active CPUs (virNodeGetInfo). */
  readonly cpus: number;
}

/**
 * A domain started, arrived by migration or resumed (`running`), was paused, or is not active any more (`gone`); its
 * persistent definition was made or changed (`defined`), or removed (`undefined`).
 */
export type LifecycleEvent = Extract<DomainEvent, { kind: 'running' | 'paused' | 'gone' | 'defined' | 'undefined' }>;

/** Statistics of one domain by libvirt's field names. */
export interface DomainStats {
  readonly domain: Domain;
  readonly fields: ReadonlyMap<string, StatValue>;
}

/**
 * An open read-only connection. Every call runs on a worker thread, emits once and completes, or fails with
 * a LibvirtError; a call that hangs is not taken back by unsubscribing, its late answer is only dropped.
 */
export interface Connection {
  readonly node: NodeInfo;
  /** Lifecycle events in libvirt's order. Hot: list the domains after subscribing, and nothing is missed. */
  readonly lifecycle$: Observable<LifecycleEvent>;
  /** UUIDs of running domains that got or lost a device. Hot. */
  readonly devices$: Observable<string>;
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
