import { BUCKETS } from '../telemetry/histogram.ts';
import type { TelemetryView, NamedSink } from '../telemetry/telemetry.ts';
import { missingMetrics, oldValues } from '../telemetry/missing-metrics.ts';
import type { ProcessView } from '../telemetry/process-usage.ts';
import type { Snapshot } from '../../model/metric.ts';
import { type About, healthIssuesOf } from './health.ts';

type Age = (at: number) => number;

const lastWrite = ({ at, of, ...last }: NonNullable<NamedSink['last']>, age: Age) => ({
  ageSeconds: age(at),
  lagSeconds: age(of),
  ...last,
});

const sinkStatus = (
  { name, writes, failures, warnings, write, latency, failing, waiting, last, warning }: NamedSink,
  age: Age,
) => ({
  name,
  writes,
  failures,
  warnings,
  failing: failing && { sinceSeconds: age(failing.since), stage: failing.stage, message: failing.message },
  waitingSeconds: waiting === undefined ? undefined : age(waiting),
  lastWrite: last && lastWrite(last, age),
  lastWarning: warning && { ageSeconds: age(warning.at), message: warning.message },
  write,
  latency,
});

const libvirtStatus = (libvirt: NonNullable<TelemetryView['libvirt']>, age: Age) =>
  libvirt.up
    ? { up: true as const, sinceSeconds: age(libvirt.since), product: libvirt.product }
    : { up: false as const, sinceSeconds: age(libvirt.since), reason: libvirt.reason };

/** Number of domains that have values or should have: if there are VM metrics, those that run as last known. */
export const runningIn = ({ domainMetrics, domains, metrics }: Snapshot): number =>
  metrics?.some(({ context }) => context === 'vm') === true
    ? Math.max(domainMetrics.length, domains?.filter(({ id }) => id !== undefined).length ?? 0)
    : domainMetrics.length;

/** Builds the status from the figures. Durations are in seconds. JSON leaves out what is undefined. */
export const statusOf = (view: TelemetryView, about: About, used: ProcessView) => {
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
    configuration: { file: about.file, notReloaded: view.notReloaded?.message },
    periodSeconds: period === undefined ? undefined : period / 1000,
    ticks: view.ticks,
    skippedTicks: view.skipped.count,
    snapshot: snapshot && {
      ageSeconds: age(snapshot.at),
      cause: snapshot.cause,
      tick: snapshot.tick,
      hostMetrics: snapshot.host.length,
      /** Number of domains with values. */
      domains: snapshot.domainMetrics.length,
      runningDomains: runningIn(snapshot),
      domainMetrics: snapshot.domainMetrics.reduce((sum, { samples }) => sum + samples.length, 0),
    },
    snapshots: view.snapshots,
    libvirt: libvirt && libvirtStatus(libvirt, age),
    reconnects: view.reconnects,
    /** Upper bounds of the buckets of all durations below. */
    bucketsSeconds: BUCKETS,
    sinks: view.sinks.map((sink) => sinkStatus(sink, age)),
    missing: missingMetrics(snapshot?.missing ?? []),
    /** Values that are three periods old or more. */
    old: snapshot === undefined ? [] : oldValues(snapshot, period ?? 0),
    stages: view.stages,
    outcomes: view.outcomes(),
    process: used,
  };
};

/** Output of `vhostmd status --json`. */
export type Status = Readonly<ReturnType<typeof statusOf>>;

/** Parses the answer of a daemon; undefined if it is not a status. */
export const parsedStatus = (text: string): Status | undefined => {
  try {
    const data: unknown = JSON.parse(text);
    return typeof data === 'object' && data !== null && 'troubles' in data ? (data as Status) : undefined;
  } catch {
    return undefined;
  }
};
