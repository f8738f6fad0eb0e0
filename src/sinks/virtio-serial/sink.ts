import {
  BehaviorSubject,
  connect,
  defer,
  endWith,
  filter,
  ignoreElements,
  map,
  merge,
  mergeMap,
  scan,
  startWith,
  takeUntil,
  tap,
} from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

import { mergeByKey } from '../../rx/merge-by-key.ts';
import type { Snapshot } from '../../model/metric.ts';
import type { Backoff } from '../../rx/retry-with-backoff.ts';
import type { Sink, SinkReport } from '../sink.ts';
import { channel$ } from './channel.ts';
import { DEFAULT_CHANNEL_PATHS } from './socket-discovery.ts';
import { channelSets$ } from './channel-set.ts';
import { metricsReply } from './reply.ts';
import { shortageWarnings } from './shortage.ts';
import { nextSinkState, NO_CHANNELS, shortOf } from './sink-state.ts';
import type { SinkEvent } from './sink-state.ts';

export interface VirtioSerialOptions {
  /** Folder of sockets of domains whose XML names none; default: the folders of libvirt. */
  readonly channelPath?: string;
  readonly maxChannels: number;
  /** Milliseconds after which metrics are too old to be sent. */
  readonly expirationTime: number;
  /** Clock of the snapshots. */
  readonly scheduler: SchedulerLike;
  readonly backoff?: Backoff;
}

const DEFAULT_BACKOFF: Backoff = { first: 100, most: 10_000 };

/**
 * Replies to guests that request metrics through a virtio-serial port. QEMU listens on a socket for each domain, and
 * this sink connects to each of them independently. It sends nothing without a request, and keeps only the newest
 * snapshot.
 */
export const virtioSerial = (options: VirtioSerialOptions): Sink => {
  const { channelPath, maxChannels, expirationTime, scheduler, backoff = DEFAULT_BACKOFF } = options;
  const channelPaths = channelPath === undefined ? DEFAULT_CHANNEL_PATHS : [channelPath];
  const fresh = (newest: Snapshot | undefined): Snapshot | undefined =>
    newest !== undefined && scheduler.now() - newest.at <= expirationTime ? newest : undefined;

  /** Sets of channels, and the states of these channels. `newest` is called for each request of a guest. */
  const channelEvents$ = (snapshot$: Observable<Snapshot>, newest: () => Snapshot | undefined): Observable<SinkEvent> =>
    channelSets$(snapshot$, channelPaths, maxChannels).pipe(
      connect((change$) =>
        merge(
          // libvirt's default folders were not configured, and may be inaccessible to this user, so no warning.
          change$.pipe(filter((change) => 'channelSet' in change || channelPath !== undefined)),
          change$.pipe(
            filter((change) => 'channelSet' in change),
            map(({ channelSet }) => [...channelSet.channels.values()]),
            mergeByKey(
              ({ key }) => key,
              (channel) => {
                const { path, domain, id } = channel;
                const reply = (): string => metricsReply(newest(), domain.uuid, id);
                return channel$({ path, reply, scheduler, backoff }).pipe(map((state) => ({ channel, state })));
              },
            ),
          ),
        ),
      ),
    );

  return {
    name: 'virtio-serial',
    run: (snapshot$) =>
      defer(() => {
        const newest$ = new BehaviorSubject<Snapshot | undefined>(undefined);
        return snapshot$.pipe(
          tap((snapshot) => newest$.next(snapshot)),
          connect((shared$) => {
            const end$ = shared$.pipe(ignoreElements(), endWith('end'));
            return merge(
              channelEvents$(shared$, () => fresh(newest$.value)).pipe(takeUntil(end$)),
              shared$.pipe(map((snapshot) => ({ snapshot }))),
            );
          }),
          scan(nextSinkState(maxChannels), NO_CHANNELS),
          connect((state$) =>
            merge(
              state$.pipe(mergeMap(({ reports }) => reports)),
              state$.pipe(
                filter(({ reports }) => reports.some(({ kind }) => kind === 'written')),
                map(shortOf),
                shortageWarnings(scheduler),
              ),
            ),
          ),
          startWith<SinkReport>({ kind: 'opened', message: `Serves the channels of up to ${maxChannels} domains` }),
        );
      }),
  };
};
