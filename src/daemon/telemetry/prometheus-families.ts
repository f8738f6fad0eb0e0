import { BUCKETS, type Histogram } from './histogram.ts';
import type { Family, Labels, Series } from '../../model/metric-family.ts';
import { type TelemetryView, type NamedSink, STAGES } from './telemetry.ts';
import { missingMetrics, oldValues } from './missing-metrics.ts';
import type { ProcessView } from './process-usage.ts';

const family = (type: 'counter' | 'gauge', name: string, help: string, series: readonly Series[]): Family => ({
  name,
  help,
  type,
  series,
});
const one = (value: number, labels: Labels = {}): Series => ({ labels, value });
const single = (type: 'counter' | 'gauge', name: string, help: string, value: number | undefined): Family =>
  family(type, name, help, value === undefined ? [] : [one(value)]);

const histogramSeries = (labels: Labels, { counts, sum, count }: Histogram): readonly Series[] => {
  const upTo = (at: number): number => counts.slice(0, at + 1).reduce((below, more) => below + more, 0);
  const buckets = counts.map((_, at): Series => {
    const le = String(BUCKETS[at] ?? '+Inf');
    return { suffix: '_bucket', labels: { ...labels, le }, value: upTo(at) };
  });
  return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: count }];
};
const histograms = (name: string, help: string, series: readonly (readonly Series[])[]): Family => ({
  name,
  help,
  type: 'histogram',
  series: series.flat(),
});

const ofSinks = (sinks: readonly NamedSink[]): readonly Family[] => {
  const each = (read: (sink: NamedSink) => number | undefined): readonly Series[] =>
    sinks.flatMap((sink) => {
      const value = read(sink);
      return value === undefined ? [] : [one(value, { sink: sink.name })];
    });
  return [
    family(
      'counter',
      'vhostmd_sink_writes_total',
      'Snapshots that the sink has written',
      each(({ writes }) => writes),
    ),
    family(
      'counter',
      'vhostmd_sink_failures_total',
      'Failures that the sink has reported, by what failed: open or write',
      sinks.flatMap(({ name, failures }) =>
        (['open', 'write'] as const).map((stage) => one(failures[stage], { sink: name, stage })),
      ),
    ),
    family(
      'counter',
      'vhostmd_sink_warnings_total',
      'Warnings of the sink',
      each(({ warnings }) => warnings),
    ),
    family(
      'gauge',
      'vhostmd_sink_failing',
      '1 if the sink cannot do its work now',
      each((sink) => Number(sink.failing !== undefined)),
    ),
    family(
      'gauge',
      'vhostmd_sink_written_bytes',
      'Size of what the sink wrote last',
      each(({ last }) => last?.bytes),
    ),
    family(
      'gauge',
      'vhostmd_sink_left_out_metrics',
      'Metrics of the snapshot written last that did not fit',
      each(({ last }) => last?.leftOut),
    ),
    histograms(
      'vhostmd_sink_write_duration_seconds',
      'From the moment a snapshot is published until the sink has written it',
      sinks.map(({ name, write }) => histogramSeries({ sink: name }, write)),
    ),
    histograms(
      'vhostmd_sink_latency_seconds',
      'From the cause of a snapshot (a tick, or a change such as the start of a VM) until the sink has written it',
      sinks.flatMap(({ name, latency }) =>
        (['tick', 'change'] as const).map((cause) => histogramSeries({ sink: name, cause }, latency[cause])),
      ),
    ),
  ];
};

const lag = ({ now, sinks }: TelemetryView): Family =>
  family(
    'gauge',
    'vhostmd_sink_lag_seconds',
    'Age of the snapshot that the sink wrote last',
    sinks.flatMap(({ name, last }) => (last === undefined ? [] : [one((now - last.of) / 1000, { sink: name })])),
  );

/** The daemon's figures for Prometheus. */
export const ownFamilies = (view: TelemetryView, used: ProcessView, version: string): readonly Family[] => {
  const { now, newest, snapshots, stages, outcomes, libvirt } = view;
  return [
    family('gauge', 'vhostmd_build_info', 'Always 1; the version of vhostmd and of Node', [
      one(1, { version, node: process.version }),
    ]),
    single('gauge', 'process_start_time_seconds', 'Start of the process, in seconds since 1970', used.startTime),
    single('counter', 'process_cpu_seconds_total', 'CPU time of the process', used.cpu),
    single('gauge', 'process_resident_memory_bytes', 'Resident memory of the process', used.residentBytes),
    single('gauge', 'process_open_fds', 'Open file descriptors of the process', used.descriptors),
    single('counter', 'vhostmd_ticks_total', 'Points of the grid at which all was collected', view.ticks),
    single('counter', 'vhostmd_skipped_ticks_total', 'Points of the grid that could not be kept', view.skipped.count),
    family('counter', 'vhostmd_snapshots_total', 'Published snapshots, by cause', [
      one(snapshots.tick, { cause: 'tick' }),
      one(snapshots.change, { cause: 'change' }),
    ]),
    single(
      'gauge',
      'vhostmd_snapshot_age_seconds',
      'Age of the newest snapshot',
      newest === undefined ? undefined : (now - newest.snapshot.at) / 1000,
    ),
    single('gauge', 'vhostmd_domains', 'VMs in the newest snapshot', newest?.snapshot.domainMetrics.length),
    histograms(
      'vhostmd_stage_duration_seconds',
      'Duration of a collection by its part; publish: from the cause of a snapshot until it is published',
      STAGES.map((stage) => histogramSeries({ stage }, stages[stage])),
    ),
    family(
      'counter',
      'vhostmd_outcomes_total',
      'Collections of a metric, by how they ended: ok, or what failed (start, run or output of its action; stat)',
      outcomes.flatMap(({ metric, context, counts }) =>
        Object.entries(counts).map(([outcome, count]) => one(count, { context, metric, outcome })),
      ),
    ),
    family(
      'gauge',
      'vhostmd_missing_values',
      'Values that the newest snapshot does not have, by metric; in context vm one for each VM',
      missingMetrics(newest?.snapshot.missing ?? []).map(({ metric, context, count }) =>
        one(count, { context, metric }),
      ),
    ),
    family(
      'gauge',
      'vhostmd_oldest_value_age_seconds',
      'Age of the oldest value that is kept because no new one has come for 3 periods, by metric',
      (newest === undefined ? [] : oldValues(newest.snapshot, view.period ?? 0)).map(
        ({ metric, context, ageSeconds }) => one(ageSeconds, { context, metric }),
      ),
    ),
    ...ofSinks(view.sinks),
    lag(view),
    single('gauge', 'vhostmd_libvirt_up', '1 if libvirt can be asked', libvirt === undefined ? 0 : Number(libvirt.up)),
    single('counter', 'vhostmd_libvirt_reconnects_total', 'How often libvirt came back', view.reconnects),
  ];
};
