import { concat, defer, EMPTY, map, of, switchMap, timer } from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

import { reasonOf } from '../../model/reason.ts';
import { type Backoff, retryWithBackoff } from '../../rx/retry-with-backoff.ts';
import { connection$ } from './connection.ts';
import { allowance } from './guest-session.ts';

/** State of a channel. `say` completes "Channel PATH ..". */
export interface ChannelState {
  readonly connected: boolean;
  readonly say?: string;
}

export interface ChannelOptions {
  readonly path: string;
  readonly reply: () => string;
  readonly scheduler: SchedulerLike;
  readonly backoff: Backoff;
}

/** Silent retries after a disconnect: the VM may be shutting down. */
const GRACE = 10;

/**
 * The channel of one domain, for ever: connects, answers, and connects again with backoff. Each different trouble is
 * said once. All is well again, and the backoff at its start, when a connection has lived for its longest wait.
 */
export const channel$ = ({ path, reply, scheduler, backoff }: ChannelOptions): Observable<ChannelState> =>
  defer(() => {
    const { first, most } = backoff;
    const options = { allowance: allowance(scheduler), reply, scheduler };
    let said = '';
    /** Since when there is trouble: from the start if it was never connected. */
    let troubled: number | undefined;
    let connectedAt: number | undefined;

    const well = (): void => {
      said = '';
      troubled = undefined;
    };
    const recovered = (): ChannelState => {
      well();
      return { connected: true, say: 'is connected again' };
    };
    const up$ = (): Observable<ChannelState> => {
      connectedAt = scheduler.now();
      return concat(of({ connected: true }), said === '' ? EMPTY : timer(most, scheduler).pipe(map(recovered)));
    };
    const failed = (error: unknown): ChannelState => {
      const now = scheduler.now();
      if (connectedAt !== undefined && now - connectedAt >= most) well();
      troubled ??= connectedAt === undefined ? -Infinity : now;
      connectedAt = undefined;
      const reason = reasonOf(error);
      if (reason === said || now - troubled < first * GRACE) return { connected: false };
      said = reason;
      return { connected: false, say: reason };
    };
    return connection$(path, options).pipe(
      switchMap(up$),
      retryWithBackoff({
        scheduler,
        backoff,
        report: (error) => of(failed(error)),
        isWell: ({ say }) => say !== undefined,
        stableAfter: most,
      }),
    );
  });
