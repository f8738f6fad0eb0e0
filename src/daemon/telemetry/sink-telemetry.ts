import type { Snapshot } from '../../model/metric.ts';
import type { SinkReport } from '../../sinks/sink.ts';
import { EMPTY_HISTOGRAM, type Histogram, withDuration } from './histogram.ts';

/** State of one sink. Times are milliseconds of the monotonic clock. */
export interface SinkView {
  readonly writes: number;
  readonly failures: { readonly open: number; readonly write: number };
  readonly warnings: number;
  /** Set while the sink fails: start and reason. */
  readonly failing?: { readonly since: number; readonly stage: 'open' | 'write'; readonly message: string };
  /** Time since which a snapshot waits to be written. */
  readonly waiting?: number;
  /** Last write. `of`: time of its snapshot. */
  readonly last?: {
    readonly at: number;
    readonly of: number;
    readonly message: string;
    readonly bytes?: number | undefined;
    readonly leftOut?: number | undefined;
    readonly trouble?: string | undefined;
  };
  readonly warning?: { readonly at: number; readonly message: string };
  /** From the publication of a snapshot to its write. */
  readonly write: Histogram;
  /** From the tick or the event to the write. */
  readonly latency: { readonly tick: Histogram; readonly change: Histogram };
}

export const NEW_SINK: SinkView = {
  writes: 0,
  failures: { open: 0, write: 0 },
  warnings: 0,
  write: EMPTY_HISTOGRAM,
  latency: { tick: EMPTY_HISTOGRAM, change: EMPTY_HISTOGRAM },
};

/** Returns the state of a sink after a snapshot was published. */
export const withPublished = (sink: SinkView, at: number): SinkView => ({ ...sink, waiting: sink.waiting ?? at });

const withWritten = (
  before: SinkView,
  { snapshot, message, bytes, leftOut, trouble }: Extract<SinkReport, { kind: 'written' }>,
  at: number,
  newest: { readonly snapshot: Snapshot; readonly at: number },
): SinkView => {
  const { failing: _, waiting, ...sink } = before;
  const isNewest = snapshot === newest.snapshot;
  // The time of publication is kept for the newest snapshot only; a late sink writes an older one.
  const publishedAt = isNewest ? newest.at : waiting;
  const cause = snapshot.cause === 'tick' ? 'tick' : 'change';
  return {
    ...sink,
    writes: sink.writes + 1,
    ...(isNewest ? {} : { waiting: newest.at }),
    write: publishedAt === undefined ? sink.write : withDuration(sink.write, at - publishedAt),
    latency: { ...sink.latency, [cause]: withDuration(sink.latency[cause], at - snapshot.at) },
    last: { at, of: snapshot.at, message, bytes, leftOut, trouble },
  };
};

/** Returns the state of a sink after its report. `newest`: the last published snapshot and its time. */
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
