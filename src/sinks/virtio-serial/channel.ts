import { concat, EMPTY, map, of, scan, switchMap, timer, timestamp } from 'rxjs';
import type { Observable, SchedulerLike, Timestamp } from 'rxjs';

import { reasonOf } from '../../model/reason.ts';
import { type Backoff, retryWithBackoff } from '../../rx/retry-with-backoff.ts';
import { connection$ } from './connection.ts';
import { allowance } from './guest-session.ts';

/** State of a channel. `message` completes "Channel PATH ..". */
export interface ChannelState {
  readonly connected: boolean;
  readonly message?: string;
}

export interface ChannelOptions {
  readonly path: string;
  readonly reply: () => string;
  readonly scheduler: SchedulerLike;
  readonly backoff: Backoff;
}

/** First waits after a disconnect without a message: the VM may be shutting down. */
const SILENT_WAITS = 10;

/** History of a channel. Times are in milliseconds, undefined if they do not apply. */
export interface ChannelHistory {
  readonly state: ChannelState;
  readonly connectedAt: number | undefined;
  /** Start of the failure, which a short connection does not end; -Infinity if there never was a connection. */
  readonly troubledSince: number | undefined;
  /** Failure of the latest message. */
  readonly reported: string | undefined;
}

export const NEW_CHANNEL: ChannelHistory = {
  state: { connected: false },
  connectedAt: undefined,
  troubledSince: undefined,
  reported: undefined,
};

/**
 * Returns the history after an event: a connection (`value` is undefined), or the failure that prevents or ends one. A
 * connection that has lasted for the longest wait ends the failure. Each distinct failure has one message.
 */
export const nextHistory =
  ({ first, most }: Backoff) =>
  (before: ChannelHistory, { value: trouble, timestamp: now }: Timestamp<string | undefined>): ChannelHistory => {
    if (trouble === undefined) return { ...before, state: { connected: true }, connectedAt: now };
    const { connectedAt } = before;
    const wasStable = connectedAt !== undefined && now - connectedAt >= most;
    const { troubledSince = connectedAt === undefined ? -Infinity : now, reported } = wasStable ? NEW_CHANNEL : before;
    const isNews = trouble !== reported && now - troubledSince >= first * SILENT_WAITS;
    return {
      state: isNews ? { connected: false, message: trouble } : { connected: false },
      connectedAt: undefined,
      troubledSince,
      reported: isNews ? trouble : reported,
    };
  };

/** Serves the channel of one domain: connects, replies, and reconnects with backoff. Never completes. */
export const channel$ = ({ path, reply, scheduler, backoff }: ChannelOptions): Observable<ChannelState> =>
  connection$(path, { allowance: allowance(scheduler), reply, scheduler }).pipe(
    map((): string | undefined => undefined),
    retryWithBackoff({ scheduler, backoff, report: (error) => of(reasonOf(error)), stableAfter: backoff.most }),
    timestamp(scheduler),
    scan(nextHistory(backoff), NEW_CHANNEL),
    switchMap(({ state, reported }) => {
      const recovered = { connected: true, message: 'is connected again' };
      const isRecovering = state.connected && reported !== undefined;
      return concat(of(state), isRecovering ? timer(backoff.most, scheduler).pipe(map(() => recovered)) : EMPTY);
    }),
  );
