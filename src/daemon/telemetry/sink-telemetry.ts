import type { Snapshot } from '../../model/metric.ts';
import type { SinkReport } from '../../sinks/sink.ts';
import { EMPTY_HISTOGRAM, type Histogram, withDuration } from './histogram.ts';

/** What is known of one sink. Times are milliseconds of the monotonic clock. */
export interface SinkView {
  readonly writes: number;
  readonly failures: { readonly open: number; readonly write: number };
  readonly warnings: number;
  /** It cannot do its work: since when, and why. */
  readonly failing?: { readonly since: number; readonly stage: 'open' | 'write'; readonly message: string };
  /** Since when there is a snapshot that it has not written. */
  readonly waiting?: number;
  /** What it wrote last: when, and of when the snapshot was. */
  readonly last?: {
    readonly at: number;
    readonly of: number;
    readonly message: string;
    readonly bytes?: number;
    readonly leftOut?: number;
    readonly trouble?: string;
  };
  readonly warning?: { readonly at: number; readonly message: string };
  /** From the moment a snapshot is published until it is written. */
  readonly write: Histogram;
  /** From the tick or the event until it is written. */
  readonly latency: { readonly tick: Histogram; readonly change: Histogram };
}

export const NEW_SINK: SinkView = {
  writes: 0,
  failures: { open: 0, write: 0 },
  warnings: 0,
  write: EMPTY_HISTOGRAM,
  latency: { tick: EMPTY_HISTOGRAM, change: EMPTY_HISTOGRAM },
};

/** There is a snapshot for the sink to write. */
export const withPublished = (sink: SinkView, at: number): SinkView => ({ ...sink, waiting: sink.waiting ?? at });

const withWritten = (
  before: SinkView,
  { snapshot, message, bytes, leftOut, trouble }: Extract<SinkReport, { kind: 'written' }>,
  at: number,
  newest: { readonly snapshot: Snapshot; readonly at: number },
): SinkView => {
  const { failing: _, waiting, ...sink } = before;
  const isNewest = snapshot === newest.snapshot;
  // A sink that is late skips snapshots: when this one was published is known of the newest only.
  const publishedAt = isNewest ? newest.at : waiting;
  const cause = snapshot.cause === 'tick' ? 'tick' : 'change';
  return {
    ...sink,
    writes: sink.writes + 1,
    ...(isNewest ? {} : { waiting: newest.at }),
    write: publishedAt === undefined ? sink.write : withDuration(sink.write, at - publishedAt),
    latency: { ...sink.latency, [cause]: withDuration(sink.latency[cause], at - snapshot.at) },
    last: {
      at,
      of: snapshot.at,
      message,
      ...(bytes === undefined ? {} : { bytes }),
      ...(leftOut === undefined ? {} : { leftOut }),
      ...(trouble === undefined ? {} : { trouble }),
    },
  };
};

/** What is known of a sink after its report; `newest` is what has been published last, and when. */
export const withReport = (
  sink: SinkView,
  report: SinkReport,
  at: number,
  newest: { readonly snapshot: Snapshot; readonly at: number },
): SinkView => {
  switch (report.kind) {
    case 'written':
      return withWritten(sink, report, at, newest);
    case 'failed': {
      const { stage, message } = report;
      return {
        ...sink,
        failures: { ...sink.failures, [stage]: sink.failures[stage] + 1 },
        failing: { since: sink.failing?.since ?? at, stage, message },
      };
    }
    case 'warning':
      return { ...sink, warnings: sink.warnings + 1, warning: { at, message: report.message } };
    case 'opened': {
      const { failing, ...rest } = sink;
      return failing?.stage === 'open' ? rest : sink;
    }
  }
};
