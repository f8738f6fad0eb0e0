import type { Snapshot } from '../../model/metric.ts';
import type { SinkReport } from '../../sinks/sink.ts';
import { histogram, type Histogram } from './histogram.ts';

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

/** Follows one sink by its reports. */
export interface SinkTelemetry {
  readonly published: (at: number) => void;
  readonly reported: (
    report: SinkReport,
    at: number,
    newest: { readonly snapshot: Snapshot; readonly at: number },
  ) => void;
  readonly view: () => SinkView;
}

export const sinkTelemetry = (): SinkTelemetry => {
  let writes = 0;
  let warnings = 0;
  const failures = { open: 0, write: 0 };
  const write = histogram();
  const latency = { tick: histogram(), change: histogram() };
  let waiting: number | undefined;
  let failing: SinkView['failing'];
  let last: SinkView['last'];
  let warning: SinkView['warning'];

  return {
    published: (at) => {
      waiting ??= at;
    },
    reported: (report, at, newest) => {
      switch (report.kind) {
        case 'written': {
          const { snapshot, message, bytes, leftOut, trouble } = report;
          writes += 1;
          failing = undefined;
          const isNewest = snapshot === newest.snapshot;
          // A sink that is late skips snapshots: when this one was published is known of the newest only.
          if (isNewest) write.add(at - newest.at);
          else if (waiting !== undefined) write.add(at - waiting);
          waiting = isNewest ? undefined : newest.at;
          latency[snapshot.cause === 'tick' ? 'tick' : 'change'].add(at - snapshot.at);
          last = {
            at,
            of: snapshot.at,
            message,
            ...(bytes === undefined ? {} : { bytes }),
            ...(leftOut === undefined ? {} : { leftOut }),
            ...(trouble === undefined ? {} : { trouble }),
          };
          break;
        }
        case 'failed':
          failures[report.stage] += 1;
          failing = { since: failing?.since ?? at, stage: report.stage, message: report.message };
          break;
        case 'warning':
          warnings += 1;
          warning = { at, message: report.message };
          break;
        case 'opened':
          if (failing?.stage === 'open') failing = undefined;
          break;
      }
    },
    view: () => ({
      writes,
      failures: { ...failures },
      warnings,
      ...(failing === undefined ? {} : { failing }),
      ...(waiting === undefined ? {} : { waiting }),
      ...(last === undefined ? {} : { last }),
      ...(warning === undefined ? {} : { warning }),
      write: write.view(),
      latency: { tick: latency.tick.view(), change: latency.change.view() },
    }),
  };
};
