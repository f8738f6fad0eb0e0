import {
  concat,
  connect,
  defer,
  endWith,
  filter,
  finalize,
  ignoreElements,
  map,
  merge,
  mergeMap,
  of,
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
import { EMPTY_SET } from './reconcile.ts';
import type { ChannelSet, DesiredChannel } from './reconcile.ts';
import { channelSets$ } from './channel-set.ts';
import { metricsReply } from './reply.ts';
import { shortageWarnings } from './shortage.ts';
import { isShortage } from './socket-path.ts';
import { channelWarning, connectedOf, planWarnings, troubleOf } from './warnings.ts';

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

/** What is known while the sink runs. */
interface Served {
  newest?: Snapshot;
  plan: ChannelSet;
  readonly connected: Set<string>;
  /** What is wrong with those that are not, behind their path. */
  readonly troubles: Map<string, string>;
  /** Those for which there was no descriptor, until they are well again. */
  readonly short: Set<string>;
}

/**
 * Answers the guests that ask for metrics through a virtio-serial port. QEMU listens on a socket for each domain, and
 * this connects to all of them, each on its own. Nothing is sent unasked: a snapshot is only kept until the next one.
 */
export const virtioSerial = (options: VirtioSerialOptions): Sink => {
  const { channelPath, maxChannels, expirationTime, scheduler, backoff = DEFAULT_BACKOFF } = options;
  const channelPaths = channelPath === undefined ? DEFAULT_CHANNEL_PATHS : [channelPath];

  const fresh = ({ newest }: Served): Snapshot | undefined =>
    newest !== undefined && scheduler.now() - newest.at <= expirationTime ? newest : undefined;

  const served$ = (served: Served, wanted: DesiredChannel): Observable<SinkReport> => {
    const { key, path, domain, id } = wanted;
    const reply = (): string => metricsReply(fresh(served), domain.uuid, id);
    return channel$({ path, reply, scheduler, backoff }).pipe(
      mergeMap(({ connected, say }) => {
        if (connected) served.connected.add(key);
        else served.connected.delete(key);
        if (connected) served.troubles.delete(key);
        else if (say !== undefined) served.troubles.set(key, say);
        if (say === undefined) return [];
        if (isShortage(say)) served.short.add(key);
        else if (!served.short.delete(key) || !connected)
          return [channelWarning(served.plan.channels.get(key) ?? wanted, say)];
        return [];
      }),
      finalize(() => {
        served.connected.delete(key);
        served.troubles.delete(key);
        served.short.delete(key);
      }),
    );
  };

  const channels$ = (served: Served, snapshot$: Observable<Snapshot>): Observable<SinkReport> =>
    channelSets$(snapshot$, channelPaths, maxChannels).pipe(
      connect((planned$) => {
        const plan$ = planned$.pipe(filter((planned) => 'plan' in planned));
        return merge(
          planned$.pipe(
            mergeMap((planned): readonly SinkReport[] => {
              // Where libvirt puts its sockets by default is nobody's choice, and may well be closed to this user.
              if (!('plan' in planned)) return channelPath === undefined ? [] : [unreadable(planned.unreadable)];
              served.plan = planned.plan;
              return planWarnings(planned.before, planned.plan, maxChannels);
            }),
          ),
          plan$.pipe(
            map(({ plan }) => [...plan.channels.values()]),
            mergeByKey(
              ({ key }) => key,
              (wanted) => served$(served, wanted),
            ),
          ),
        );
      }),
    );

  const unreadable = (what: string): SinkReport => ({
    kind: 'warning',
    message: `The <channel_path> cannot be read, so channels that the XML of their domain does not name are not found: ${what}`,
  });

  return {
    name: 'virtio-serial',
    run: (snapshot$) =>
      defer(() => {
        const served: Served = { plan: EMPTY_SET, connected: new Set(), troubles: new Map(), short: new Set() };
        const take = (snapshot: Snapshot): void => {
          served.newest = snapshot;
        };
        const written = (snapshot: Snapshot): SinkReport => ({
          kind: 'written',
          snapshot,
          message: connectedOf(served.connected.size, served.plan),
          ...troubleOf(served.plan, served.troubles),
        });
        const opened: SinkReport = {
          kind: 'opened',
          message: `Serves the channels of up to ${maxChannels} domains`,
        };
        return concat(
          of(opened),
          snapshot$.pipe(
            tap(take),
            connect((shared$) => {
              const end$ = shared$.pipe(ignoreElements(), endWith('end'));
              return merge(
                channels$(served, shared$).pipe(takeUntil(end$)),
                shared$.pipe(map(written)),
                shared$.pipe(
                  map(() => served.short.size),
                  shortageWarnings(scheduler),
                ),
              );
            }),
          ),
        );
      }),
  };
};
