import type { Config } from '../config/config.ts';
import type { Snapshot } from '../model/metric.ts';
import type { ConfiguredSink } from '../sinks/index.ts';
import type { SinkReport } from '../sinks/sink.ts';
import type { ConnectionState } from '../sources/libvirt/reconnect.ts';
import type { MissingLine } from './log-missing-values.ts';

/** A configuration with its sinks. */
export interface Setup {
  readonly config: Config;
  readonly sinks: readonly ConfiguredSink[];
}

/** Progress of a reload after a SIGHUP. */
export type Reload =
  | { readonly kind: 'loading' }
  | { readonly kind: 'loaded'; readonly setup: Setup }
  | { readonly kind: 'refused'; readonly reason: string };

/** Keys of the sinks that the start, a reload and the watchdog wait for. */
export const requiredOf = ({ sinks }: Setup): readonly string[] =>
  sinks.filter(({ required }) => required).map(({ key }) => key);

/**
 * An event in the daemon. The log, the telemetry, the status socket, the readiness and the service manager derive from
 * the stream of these events alone.
 */
export type DaemonEvent =
  | { readonly kind: 'linked'; readonly setup: Setup; readonly link: ConnectionState }
  /** An action printed its value in an unexpected form. */
  | { readonly kind: 'note'; readonly message: string }
  | { readonly kind: 'published'; readonly setup: Setup; readonly snapshot: Snapshot }
  | { readonly kind: 'report'; readonly sink: ConfiguredSink; readonly report: SinkReport }
  | { readonly kind: 'reload'; readonly reload: Reload }
  | { readonly kind: 'missing'; readonly line: MissingLine };

export type EventKind = DaemonEvent['kind'];
export type EventOf<K extends EventKind> = Extract<DaemonEvent, { readonly kind: K }>;

/** Returns a predicate for events of one kind, for `filter`. */
export const isOf =
  <K extends EventKind>(kind: K) =>
  (event: DaemonEvent): event is EventOf<K> =>
    event.kind === kind;
