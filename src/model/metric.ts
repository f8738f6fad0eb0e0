import type { Verdict } from './verdict.ts';

/** Types that the `type` attribute of a published metric can have. */
export const VALUE_TYPES = ['int32', 'uint32', 'int64', 'uint64', 'real32', 'real64', 'string'] as const;
/** Type of one published value. 64-bit integers exceed a JavaScript number: parse them with `BigInt`. */
export type ValueType = (typeof VALUE_TYPES)[number];

/** Type of a `<metric>` of the configuration: one value, or (`group`, `xml`) several at once. */
export type MetricType = ValueType | 'group' | 'xml';

/** Scope of a metric: collected once for the host, or once for each running domain (`vm`). */
export type Context = 'host' | 'vm';

/** Position in a configuration file; line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `<variable>` of the configuration: name and type of one value of a group metric. */
export interface Variable {
  readonly name: string;
  readonly type: ValueType;
  readonly unit?: string;
}

/** Origin of a metric's value: the output of a shell command, or a statistic that the daemon reads itself. */
export type MetricSource =
  | { readonly kind: 'action'; readonly command: string }
  | { readonly kind: 'stat'; readonly stat: string; readonly scale?: number };

/** One `<metric>` of the configuration. */
export interface MetricDefinition {
  /** Position in the configuration; published metrics keep this order. */
  readonly index: number;
  readonly name: string;
  readonly type: MetricType;
  readonly context: Context;
  readonly unit?: string;
  readonly source: MetricSource;
  /** Empty unless `type` is `group`. */
  readonly variables: readonly Variable[];
  /** Ticks from one collection to the next; 1 is every tick. */
  readonly every: number;
  /** Deadline of one collection, in milliseconds. */
  readonly timeout: number;
  readonly place: Place;
}

/**
 * A running virtual machine. Key state by `uuid`: libvirt reuses ids, and tenants choose names. A restart, a rename or
 * a resume makes a new object.
 */
export interface Domain {
  readonly uuid: string;
  /** libvirt's number of this run of the domain. */
  readonly id: number;
  /** Hostile text that a tenant may have chosen: escape it. */
  readonly name: string;
}

/** A domain that libvirt knows, running or not. For sinks that keep a resource for each domain. */
export interface KnownDomain {
  readonly uuid: string;
  /** Hostile text that a tenant may have chosen: escape it. */
  readonly name: string;
  /** libvirt's number of this run; absent while the domain does not run. */
  readonly id?: number;
  /** True if the domain is defined and outlives its runs; a transient one vanishes when it stops. */
  readonly persistent: boolean;
  /** Unix socket of the channel `org.github.vhostmd.1` in the live XML; null without one, absent until it is known. */
  readonly channel?: string | null;
}

/** Key of one run of a domain: libvirt reuses ids and domains restart, so both UUID and id are needed. */
export const domainRunKey = ({ uuid, id }: Pick<KnownDomain, 'uuid' | 'id'>): string => `${uuid}/${id ?? ''}`;

/** One published value. `value` is checked against `type` and never empty; all text is hostile and not yet escaped. */
export interface Sample {
  readonly name: string;
  readonly type: ValueType;
  readonly unit?: string;
  readonly value: string;
}

/** Step of a collection that failed: the start of the process, its run, its output, or a native statistic. */
export type Stage = 'start' | 'run' | 'output' | 'stat';

/** Result of collecting one metric once. A failure is a value; `note` is logged once, for the administrator. */
export type Outcome =
  | { readonly ok: true; readonly samples: readonly Sample[]; readonly note?: string }
  | { readonly ok: false; readonly stage: Stage; readonly reason: string };

/** An outcome with its metric; `domain` is set in context `vm` only. */
export interface Reading {
  readonly metric: MetricDefinition;
  readonly domain?: Domain;
  readonly outcome: Outcome;
}

/** A metric without a value in this snapshot: the {@link Stage} that failed, and the reason. */
export interface MissingValue {
  readonly metric: MetricDefinition;
  readonly domain?: Domain;
  readonly stage: Stage;
  readonly reason: string;
}

/** A value that is still published although its source has not answered for three of its periods. */
export interface LateValue {
  readonly metric: MetricDefinition;
  readonly domain?: Domain;
  /** Tick that the value was collected at. */
  readonly tick: number;
}

/** Values of one domain, in the order of the configuration. Unchanged values keep the object of the last snapshot. */
export interface DomainMetrics {
  readonly domain: Domain;
  readonly samples: readonly Sample[];
  /** Why the VM is slow; absent unless the configuration has `slow.*`, and until the second collection. */
  readonly verdict?: Verdict;
}

/**
 * All current values. Immutable and complete: a value that is absent is gone. Parts that did not change are the same
 * objects as in the last snapshot, so `===` or a `WeakMap` saves work.
 */
export interface Snapshot {
  /** `tick`: a whole collection; `change`: a domain came or went, or a late value arrived. */
  readonly cause: 'tick' | 'change';
  /** Number of the latest tick, from 0. */
  readonly tick: number;
  /** Milliseconds of the monotonic clock (`scheduler.now()` of a {@link SinkContext}) when the cause arose. */
  readonly at: number;
  /** Values of the host, in the order of the configuration. */
  readonly host: readonly Sample[];
  /** Ordered by domain id; domains without a value are left out. */
  readonly domainMetrics: readonly DomainMetrics[];
  /** Metrics that have no value now. */
  readonly missing: readonly MissingValue[];
  /** Values that are out of date because their source is overloaded or hangs; absent if there are none. */
  readonly late?: readonly LateValue[];
  /**
   * All running domains, with `<vm_disk>` also those that are only defined, with transport virtio their channels. Keeps
   * its object while nothing changes. Absent until libvirt has been reached; the last known list while it is away.
   */
  readonly domains?: readonly KnownDomain[];
  /** Metrics of the configuration behind this snapshot. The daemon always sets them; tests may leave them out. */
  readonly metrics?: readonly MetricDefinition[];
}

/**
 * Event of the inventory source: the whole list (first, and after each reconnect), one domain, or the loss of libvirt.
 * `defined` in `sync`, and the kinds `defined` and `undefined`, occur only where domains that do not run are followed.
 */
export type DomainEvent =
  | { readonly kind: 'sync'; readonly domains: readonly Domain[]; readonly defined?: readonly DefinedDomain[] }
  | { readonly kind: 'running'; readonly domain: Domain }
  | { readonly kind: 'paused'; readonly uuid: string }
  | { readonly kind: 'gone'; readonly uuid: string }
  | ({ readonly kind: 'defined' } & DefinedDomain)
  | { readonly kind: 'undefined'; readonly uuid: string }
  /** The socket of the channel of a running domain; without `path` it has none. */
  | { readonly kind: 'channel'; readonly uuid: string; readonly path?: string }
  | { readonly kind: 'lost'; readonly reason: string };

/** A domain with a persistent definition. */
export interface DefinedDomain {
  readonly uuid: string;
  readonly name: string;
}
