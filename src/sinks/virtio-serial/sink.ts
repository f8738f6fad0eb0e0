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
  /** Where to look for sockets of domains whose XML names none; by default where libvirt puts them. */
  readonly channelPath?: string;
  readonly maxChannels: number;
  /** Milliseconds after which metrics are too old to be given out. */
  readonly expirationTime: number;
  /** The clock of the snapshots. */
  readonly scheduler: SchedulerLike;
  readonly backoff?: Backoff;
}

const DEFAULT_BACKOFF: Backoff = { first: 100, most: 10_000 };

/**
 * Answers the guests that ask for metrics through a virtio-serial port. QEMU listens on a socket for each domain, and
 * this connects to all of them, each on its own. Nothing is sent unasked: a snapshot is only kept until the next one.
 */
export const virtioSerial = (options: VirtioSerialOptions): Sink => {
  const { channelPath, maxChannels, expirationTime, scheduler, backoff = DEFAULT_BACKOFF } = options;
  const channelPaths = channelPath === undefined ? DEFAULT_CHANNEL_PATHS : [channelPath];
  const fresh = (newest: Snapshot | undefined): Snapshot | undefined =>
    newest !== undefined && scheduler.now() - newest.at <= expirationTime ? newest : undefined;

  /** Which channels there are to be, and the states of these channels. `newest` is asked when a guest asks. */
  const channelEvents$ = (snapshot$: Observable<Snapshot>, newest: () => Snapshot | undefined): Observable<SinkEvent> =>
    channelSets$(snapshot$, channelPaths, maxChannels).pipe(
      connect((change$) =>
        merge(
          // Where libvirt puts its sockets by default is nobody's choice, and may well be closed to this user.
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
