import { BUCKETS, type Histogram } from './histogram.ts';
import type { Family, Labels, Series } from '../../model/metric-family.ts';
import { type TelemetryView, type NamedSink, STAGES } from './telemetry.ts';
import { missingMetrics, oldValues } from './missing-metrics.ts';
import type { ProcessView } from './process-usage.ts';

const one = (value: number | undefined, labels: Labels = {}): readonly Series[] =>
  value === undefined ? [] : [{ labels, value }];

const histogram = ({ counts, sum, count }: Histogram, labels: Labels = {}): readonly Series[] => {
  const upTo = (at: number): number => counts.slice(0, at + 1).reduce((below, more) => below + more, 0);
  const buckets = counts.map((_, at): Series => {
    const le = String(BUCKETS[at] ?? '+Inf');
    return { suffix: '_bucket', labels: { ...labels, le }, value: upTo(at) };
  });
  return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: count }];
};

// Names of counters end in `_total`, those of histograms in `_duration_seconds` or `_latency_seconds`.
const typeOf = (name: string): Family['type'] => {
  if (name.endsWith('_total')) return 'counter';
  return /_(?:duration|latency)_seconds$/.test(name) ? 'histogram' : 'gauge';
};
const family = (name: string, help: string, series: readonly Series[]): Family => ({
  name,
  help,
  type: typeOf(name),
  series,
});

type OfSink = (sink: NamedSink, now: number) => readonly Series[];
const OF_SINKS: readonly (readonly [name: string, help: string, OfSink])[] = [
  ['vhostmd_sink_writes_total', 'Snapshots that the sink has written', ({ writes }) => one(writes)],
  [
    'vhostmd_sink_failures_total',
    'Failures that the sink has reported, by what failed: open or write',
    ({ failures: { open, write } }) => [...one(open, { stage: 'open' }), ...one(write, { stage: 'write' })],
  ],
  ['vhostmd_sink_warnings_total', 'Warnings of the sink', ({ warnings }) => one(warnings)],
  ['vhostmd_sink_failing', '1 if the sink cannot do its work now', ({ failing }) => one(failing === undefined ? 0 : 1)],
  ['vhostmd_sink_written_bytes', 'Size of what the sink wrote last', ({ last }) => one(last?.bytes)],
  [
    'vhostmd_sink_left_out_metrics',
    'Metrics of the snapshot written last that did not fit',
    ({ last }) => one(last?.leftOut),
  ],
  [
    'vhostmd_sink_write_duration_seconds',
    'From the moment a snapshot is published until the sink has written it',
    ({ write }) => histogram(write),
  ],
  [
    'vhostmd_sink_latency_seconds',
    'From the cause of a snapshot (a tick, or a change such as the start of a VM) until the sink has written it',
    ({ latency: { tick, change } }) => [
      ...histogram(tick, { cause: 'tick' }),
      ...histogram(change, { cause: 'change' }),
    ],
  ],
  [
    'vhostmd_sink_lag_seconds',
    'Age of the snapshot that the sink wrote last',
    ({ last }, now) => one(last && (now - last.of) / 1000),
  ],
];

const ofSinks = ({ now, sinks }: TelemetryView): readonly Family[] =>
  OF_SINKS.map(([name, help, ofSink]) => {
    const series = sinks.flatMap((sink) =>
      ofSink(sink, now).map((each) => ({ ...each, labels: { sink: sink.name, ...each.labels } })),
    );
    return family(name, help, series);
  });

/** The daemon's figures for Prometheus. */
export const ownFamilies = (view: TelemetryView, used: ProcessView, version: string): readonly Family[] => {
  const { now, newest, skipped, snapshots, stages, outcomes, libvirt } = view;
  const { snapshot } = newest ?? {};
  const missing = missingMetrics(snapshot?.missing ?? []);
  const old = snapshot === undefined ? [] : oldValues(snapshot, view.period ?? 0);
  return [
    family(
      'vhostmd_build_info',
      'Always 1; the version of vhostmd and of Node',
      one(1, { version, node: process.version }),
    ),
    family('process_start_time_seconds', 'Start of the process, in seconds since 1970', one(used.startTime)),
    family('process_cpu_seconds_total', 'CPU time of the process', one(used.cpu)),
    family('process_resident_memory_bytes', 'Resident memory of the process', one(used.residentBytes)),
    family('process_open_fds', 'Open file descriptors of the process', one(used.descriptors)),
    family('vhostmd_ticks_total', 'Points of the grid at which all was collected', one(view.ticks)),
    family('vhostmd_skipped_ticks_total', 'Points of the grid that could not be kept', one(skipped.count)),
    family('vhostmd_snapshots_total', 'Published snapshots, by cause', [
      ...one(snapshots.tick, { cause: 'tick' }),
      ...one(snapshots.change, { cause: 'change' }),
    ]),
    family('vhostmd_snapshot_age_seconds', 'Age of the newest snapshot', one(snapshot && (now - snapshot.at) / 1000)),
    family('vhostmd_domains', 'VMs in the newest snapshot', one(snapshot?.domainMetrics.length)),
    family(
      'vhostmd_stage_duration_seconds',
      'Duration of a collection by its part; publish: from the cause of a snapshot until it is published',
      STAGES.flatMap((stage) => histogram(stages[stage], { stage })),
    ),
    family(
      'vhostmd_outcomes_total',
      'Collections of a metric, by how they ended: ok, or what failed (start, run or output of its action; stat)',
      outcomes().flatMap(({ metric, context, counts }) =>
        Object.entries(counts).flatMap(([outcome, count]) => one(count, { context, metric, outcome })),
      ),
    ),
    family(
      'vhostmd_missing_values',
      'Values that the newest snapshot does not have, by metric; in context vm one for each VM',
      missing.flatMap(({ metric, context, count }) => one(count, { context, metric })),
    ),
    family(
      'vhostmd_oldest_value_age_seconds',
      'Age of the oldest value that is kept because no new one has come for 3 periods, by metric',
      old.flatMap(({ metric, context, ageSeconds }) => one(ageSeconds, { context, metric })),
    ),
    ...ofSinks(view),
    family('vhostmd_libvirt_up', '1 if libvirt can be asked', one(libvirt?.up === true ? 1 : 0)),
    family('vhostmd_libvirt_reconnects_total', 'How often libvirt came back', one(view.reconnects)),
  ];
};
