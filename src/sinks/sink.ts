import type { Observable } from 'rxjs';

import type { Snapshot } from '../model/metric.ts';

/**
 * Report of a sink about its work. `message` is for the administrator: what happened, where, what to do. A failure is a
 * value; an error on the stream of reports is a bug of the sink.
 */
export type SinkReport =
  /** The target is open. Logged as info. */
  | { readonly kind: 'opened'; readonly message: string }
  /** `snapshot` was delivered. Logged at debug level. */
  | {
      readonly kind: 'written';
      readonly snapshot: Snapshot;
      readonly message: string;
      /** Bytes that were delivered. */
      readonly bytes?: number;
      /** Number of metrics that did not fit. */
      readonly leftOut?: number;
      /** Targets that the sink does not reach now, and what to do about them. */
      readonly trouble?: string;
    }
  /** A problem that the administrator should know; report it once. */
  | { readonly kind: 'warning'; readonly message: string }
  /** The target could not be opened, or a snapshot was not delivered (`write`); the sink continues. Logged as error. */
  | { readonly kind: 'failed'; readonly stage: 'open' | 'write'; readonly message: string };

/** A sink is a function of the snapshot stream: subscribing to its result opens it, unsubscribing closes it. */
export interface Sink {
  /** Name in the log. */
  readonly name: string;
  /** Completes when `snapshot$` has completed and the last snapshot is delivered. It must not error. */
  readonly run: (snapshot$: Observable<Snapshot>) => Observable<SinkReport>;
}

/** An open target of {@link deliverLatest}. */
export interface Writer {
  /**
   * Delivers one snapshot: emits reports and completes. An error means that this snapshot was not delivered; the target
   * stays open. Unsubscribing during a write must release everything.
   */
  readonly write$: (snapshot: Snapshot) => Observable<SinkReport>;
  /** Message of the report `opened`; default `Opened`. */
  readonly opened?: string;
}

/**
 * Opens a target for {@link deliverLatest}: emits one {@link Writer} when the target is open, and closes it when it is
 * unsubscribed. An error before the writer means that the target could not be opened, a later one that it is lost; both
 * are retried. Reports that it emits are passed on.
 */
export type Opener = Observable<Writer | SinkReport>;
