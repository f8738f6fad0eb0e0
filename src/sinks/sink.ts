import type { Observable } from 'rxjs';

import type { Snapshot } from '../metric.ts';

/** What a sink says about its work. A failure is a value; an error on the stream is a bug. */
export type SinkReport =
  | { readonly kind: 'opened'; readonly message: string }
  | { readonly kind: 'written'; readonly snapshot: Snapshot; readonly message: string }
  | { readonly kind: 'warning'; readonly message: string }
  /** `stage` open: the target could not be opened; write: this snapshot was not delivered. The sink goes on. */
  | { readonly kind: 'failed'; readonly stage: 'open' | 'write'; readonly message: string };

/** A sink is a function of the snapshot stream: subscribing opens it, unsubscribing closes it. */
export interface Sink {
  readonly name: string;
  readonly run: (snapshot$: Observable<Snapshot>) => Observable<SinkReport>;
}

/** An opened target. `write$` delivers one snapshot; it reports, completes, and may fail with an error. */
export interface Writer {
  readonly write$: (snapshot: Snapshot) => Observable<SinkReport>;
}

/** Subscribing opens the target and emits its writer once; unsubscribing closes it. Failing to open is an error. */
export type Opener = Observable<Writer | SinkReport>;
