/** The data that flows from sources to sinks. Readonly everywhere; no I/O, no clock. */

/** The types that a reader of the metrics may meet in a `type` attribute. */
export const VALUE_TYPES = ['int32', 'uint32', 'int64', 'uint64', 'real32', 'real64', 'string'] as const;
export type ValueType = (typeof VALUE_TYPES)[number];

/** What a `<metric>` of the configuration may declare: one value, or (group, xml) several at once. */
export type MetricType = ValueType | 'group' | 'xml';

export type Context = 'host' | 'vm';

/** Where in a configuration file something stands; line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `<variable>`: the name and type of one value of a group metric. */
export interface Variable {
  readonly name: string;
  readonly type: ValueType;
  readonly unit?: string;
}

/** Where a metric's value comes from: a shell command, or a statistic that the daemon reads by itself. */
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
  /** Not empty for groups only. */
  readonly variables: readonly Variable[];
  /** Collected on every n-th tick. */
  readonly every: number;
  /** Deadline of one run, in milliseconds. */
  readonly timeout: number;
  readonly place: Place;
}

/** A running virtual machine. A new object stands for a new life, a rename or a resume; `uuid` is the key. */
export interface Domain {
  readonly uuid: string;
  /** libvirt's number of this run of the domain. */
  readonly id: number;
  /** Chosen by the tenant: hostile text. */
  readonly name: string;
}

/** A domain that libvirt knows of, running or not, as sinks need it that keep something for each domain. */
export interface KnownDomain {
  readonly uuid: string;
  /** Hostile text. */
  readonly name: string;
  /** libvirt's number of this run; missing if it does not run. */
  readonly id?: number;
  /** It is defined, and so outlives its runs; else it is transient and goes when it stops. */
  readonly persistent: boolean;
  /** Unix socket of its channel `org.github.vhostmd.1` by its live XML; null if that has none, missing until it is known. */
  readonly channel?: string | null;
}

/** Key of one run of a domain: libvirt uses ids again and domains restart, so UUID and id are both needed. */
export const domainRunKey = ({ uuid, id }: Pick<KnownDomain, 'uuid' | 'id'>): string => `${uuid}/${id ?? ''}`;

/** One published value, checked against its type, not yet escaped. Never empty. */
export interface Sample {
  readonly name: string;
  readonly type: ValueType;
  readonly unit?: string;
  readonly value: string;
}

/** What failed: starting the process, the process itself, its output, or a native statistic. */
export type Stage = 'start' | 'run' | 'output' | 'stat';

/** What one collection of one metric came to. A failure is a value; `note` is for the administrator, once. */
export type Outcome =
  | { readonly ok: true; readonly samples: readonly Sample[]; readonly note?: string }
  | { readonly ok: false; readonly stage: Stage; readonly reason: string };

/** An outcome with what it is of; `domain` in context vm only. */
export interface Reading {
  readonly metric: MetricDefinition;
  readonly domain?: Domain;
  readonly outcome: Outcome;
}

/** A metric that has no value in this snapshot, and why. */
export interface MissingValue {
  readonly metric: MetricDefinition;
  readonly domain?: Domain;
  readonly stage: Stage;
  readonly reason: string;
}

/** A value that is shown although its source has not answered for three of its periods. */
export interface LateValue {
  readonly metric: MetricDefinition;
  readonly domain?: Domain;
  /** Number of the tick that it is of. */
  readonly tick: number;
}

/** One domain's values, in the order of the configuration. The same object as before if nothing changed. */
export interface DomainMetrics {
  readonly domain: Domain;
  readonly samples: readonly Sample[];
}

/** The immutable set of all current values. Parts that did not change are the same objects as before. */
export interface Snapshot {
  /** `tick`: a whole collection; `change`: a domain came or went, or a late value arrived. */
  readonly cause: 'tick' | 'change';
  /** Number of the latest tick, from 0. */
  readonly tick: number;
  /** When the cause arose, in milliseconds of the injected monotonic clock. */
  readonly at: number;
  readonly host: readonly Sample[];
  /** By domain id, so the order is stable; domains without any value are left out. */
  readonly domainMetrics: readonly DomainMetrics[];
  readonly missing: readonly MissingValue[];
  /** Values that are old, because what they come from is overloaded or hangs. Missing where there is none. */
  readonly late?: readonly LateValue[];
  /**
   * All domains that run, with `<vm_disk>` also those that are only defined; channels with transport virtio. The same
   * object as before if nothing changed. Missing until libvirt has been reached; while it is away, as it was before.
   */
  readonly domains?: readonly KnownDomain[];
  /** The metrics of the configuration that it is of; the daemon gives them, tests may leave them out. */
  readonly metrics?: readonly MetricDefinition[];
}

/**
 * What the inventory source says: the whole list (first, and after each reconnect), one domain, or that libvirt is away.
 * `defined` in `sync`, and the kinds `defined` and `undefined`, come only where domains that do not run are followed.
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
