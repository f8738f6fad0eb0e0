import type { Observable } from 'rxjs';

import type { Snapshot } from '../model/metric.ts';

/** What a sink says about its work. A failure is a value; an error on the stream is a bug. */
export type SinkReport =
  | { readonly kind: 'opened'; readonly message: string }
  | {
      readonly kind: 'written';
      readonly snapshot: Snapshot;
      readonly message: string;
      /** Size of what was delivered. */
      readonly bytes?: number;
      /** Metrics of the snapshot that did not fit. */
      readonly leftOut?: number;
      /** What of its targets it does not reach now, and what to do. */
      readonly trouble?: string;
    }
  | { readonly kind: 'warning'; readonly message: string }
  /** `stage` open: the target could not be opened; write: this snapshot was not delivered. The sink goes on. */
  | { readonly kind: 'failed'; readonly stage: 'open' | 'write'; readonly message: string };

/** A sink is a function of the snapshot stream: subscribing opens it, unsubscribing closes it. */
export interface Sink {
  readonly name: string;
  readonly run: (snapshot$: Observable<Snapshot>) => Observable<SinkReport>;
}

/**
 * An opened target. `write$` delivers one snapshot; it reports and completes. An error says that this snapshot was
 * not delivered; the target stays open. Unsubscribing in mid-write must leave nothing behind.
 */
export interface Writer {
  readonly write$: (snapshot: Snapshot) => Observable<SinkReport>;
  /** What to report as opened. */
  readonly opened?: string;
}

/**
 * Subscribing opens the target and emits its writer once; unsubscribing closes it. An error before the writer says
 * that it could not be opened, one after it that the target is lost; in both cases it is opened again later.
 */
export type Opener = Observable<Writer | SinkReport>;
