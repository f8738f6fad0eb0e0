import { BUCKETS } from '../telemetry/histogram.ts';
import type { TelemetryView, NamedSink } from '../telemetry/telemetry.ts';
import { type MissingMetric, missingMetrics, type OldValue, oldValues } from '../telemetry/missing-metrics.ts';
import type { OutcomeView } from '../telemetry/outcome-counts.ts';
import type { ProcessView } from '../telemetry/process-usage.ts';
import type { Snapshot } from '../../model/metric.ts';
import { type About, type HealthIssue, healthIssuesOf } from './health.ts';

interface SinkStatus extends Pick<NamedSink, 'name' | 'writes' | 'failures' | 'warnings'> {
  readonly failing?: { readonly sinceSeconds: number; readonly stage: string; readonly message: string };
  readonly waitingSeconds?: number;
  readonly lastWrite?: {
    readonly ageSeconds: number;
    readonly lagSeconds: number;
    readonly message: string;
    readonly bytes?: number;
    readonly leftOut?: number;
    readonly trouble?: string;
  };
  readonly lastWarning?: { readonly ageSeconds: number; readonly message: string };
  readonly write: NamedSink['write'];
  readonly latency: NamedSink['latency'];
}

/** Output of `vhostmd status --json`. Durations are in seconds. */
export interface Status {
  readonly well: boolean;
  readonly troubles: readonly HealthIssue[];
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly configuration: { readonly file: string; readonly notReloaded?: string };
  readonly periodSeconds?: number;
  readonly ticks: number;
  readonly skippedTicks: number;
  readonly snapshot?: {
    readonly ageSeconds: number;
    readonly cause: string;
    readonly tick: number;
    readonly hostMetrics: number;
    /** Number of domains with values. */
    readonly domains: number;
    /** Number of domains that have values or should have. */
    readonly runningDomains: number;
    readonly domainMetrics: number;
  };
  readonly snapshots: TelemetryView['snapshots'];
  readonly libvirt?:
    | { readonly up: true; readonly sinceSeconds: number; readonly product: string }
    | { readonly up: false; readonly sinceSeconds: number; readonly reason: string };
  readonly reconnects: number;
  /** Upper bounds of the buckets of all durations below. */
  readonly bucketsSeconds: readonly number[];
  readonly sinks: readonly SinkStatus[];
  readonly missing: readonly MissingMetric[];
  /** Values that are three periods old or more. */
  readonly old: readonly OldValue[];
  readonly stages: TelemetryView['stages'];
  readonly outcomes: readonly OutcomeView[];
  readonly process: ProcessView;
}

const sinkStatus = (
  { name, writes, failures, warnings, write, latency, failing, waiting, last, warning }: NamedSink,
  age: (at: number) => number,
): SinkStatus => ({
  name,
  writes,
  failures,
  warnings,
  ...(failing === undefined
    ? {}
    : { failing: { sinceSeconds: age(failing.since), stage: failing.stage, message: failing.message } }),
  ...(waiting === undefined ? {} : { waitingSeconds: age(waiting) }),
  ...(last === undefined
    ? {}
    : {
        lastWrite: {
          ageSeconds: age(last.at),
          lagSeconds: age(last.of),
          message: last.message,
          ...(last.bytes === undefined ? {} : { bytes: last.bytes }),
          ...(last.leftOut === undefined ? {} : { leftOut: last.leftOut }),
          ...(last.trouble === undefined ? {} : { trouble: last.trouble }),
        },
      }),
  ...(warning === undefined ? {} : { lastWarning: { ageSeconds: age(warning.at), message: warning.message } }),
  write,
  latency,
});

const libvirtStatus = (libvirt: NonNullable<TelemetryView['libvirt']>, age: (at: number) => number) =>
  libvirt.up
    ? { up: true as const, sinceSeconds: age(libvirt.since), product: libvirt.product }
    : { up: false as const, sinceSeconds: age(libvirt.since), reason: libvirt.reason };

/** Number of domains that have values or should have: if there are VM metrics, those that run as last known. */
export const runningIn = ({ domainMetrics, domains, metrics }: Snapshot): number =>
  metrics?.some(({ context }) => context === 'vm') === true
    ? Math.max(domainMetrics.length, domains?.filter(({ id }) => id !== undefined).length ?? 0)
    : domainMetrics.length;

/** Builds the status from the figures. */
export const statusOf = (view: TelemetryView, about: About, used: ProcessView): Status => {
  const age = (at: number): number => Math.round(view.now - at) / 1000;
  const { period, newest, libvirt } = view;
  const troubles = healthIssuesOf(view, about);
  const { snapshot } = newest ?? {};
  return {
    well: troubles.length === 0,
    troubles,
    version: about.version,
    pid: about.pid,
    uptimeSeconds: Math.max(0, Math.round(Date.now() / 1000 - used.startTime)),
    configuration: {
      file: about.file,
      ...(view.notReloaded === undefined ? {} : { notReloaded: view.notReloaded.message }),
    },
    ...(period === undefined ? {} : { periodSeconds: period / 1000 }),
    ticks: view.ticks,
    skippedTicks: view.skipped.count,
    ...(snapshot === undefined
      ? {}
      : {
          snapshot: {
            ageSeconds: age(snapshot.at),
            cause: snapshot.cause,
            tick: snapshot.tick,
            hostMetrics: snapshot.host.length,
            domains: snapshot.domainMetrics.length,
            runningDomains: runningIn(snapshot),
            domainMetrics: snapshot.domainMetrics.reduce((sum, { samples }) => sum + samples.length, 0),
          },
        }),
    snapshots: view.snapshots,
    ...(libvirt === undefined ? {} : { libvirt: libvirtStatus(libvirt, age) }),
    reconnects: view.reconnects,
    bucketsSeconds: BUCKETS,
    sinks: view.sinks.map((sink) => sinkStatus(sink, age)),
    missing: missingMetrics(snapshot?.missing ?? []),
    old: snapshot === undefined ? [] : oldValues(snapshot, period ?? 0),
    stages: view.stages,
    outcomes: view.outcomes,
    process: used,
  };
};

/** Parses the answer of a daemon; undefined if it is not a status. */
export const parsedStatus = (text: string): Status | undefined => {
  try {
    const data: unknown = JSON.parse(text);
    return typeof data === 'object' && data !== null && 'troubles' in data ? (data as Status) : undefined;
  } catch {
    return undefined;
  }
};
