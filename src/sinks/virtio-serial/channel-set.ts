import {
  connect,
  defer,
  distinctUntilChanged,
  exhaustMap,
  filter,
  ignoreElements,
  map,
  merge,
  scan,
  Subject,
  tap,
} from 'rxjs';
import type { Observable } from 'rxjs';

import { domainRunKey, type KnownDomain, type Snapshot } from '../../model/metric.ts';
import { lookForChannels$ } from './socket-discovery.ts';
import type { Found, Paths } from './socket-discovery.ts';
import { EMPTY_SET, reconcile } from './reconcile.ts';
import type { ChannelSet } from './reconcile.ts';

/** A new set of channels, or a message about directories that cannot be read, each distinct one once. */
export type ChannelSetChange = { readonly channelSet: ChannelSet } | { readonly unreadable: string };

/** State of the domains and their sockets. */
export interface Discovery {
  readonly domains: readonly KnownDomain[];
  /** Sockets found for domains whose XML names none. */
  readonly paths: Paths;
  readonly channelSet: ChannelSet;
  /** Domains whose sockets must be searched now. */
  readonly pathless: readonly KnownDomain[];
  readonly unreadable: string;
}

export const NOTHING_KNOWN: Discovery = {
  domains: [],
  paths: new Map(),
  channelSet: EMPTY_SET,
  pathless: [],
  unreadable: '',
};

/** Returns the state after a snapshot or a search. A tick always counts, because a socket may have been replaced. */
export const nextDiscovery =
  (maxChannels: number) =>
  (before: Discovery, event: Snapshot | Found): Discovery => {
    const isFound = 'paths' in event;
    const domains = isFound ? before.domains : (event.domains ?? before.domains);
    const unreadable = isFound ? event.unreadable.join('; ') : before.unreadable;
    const isNews = isFound ? event.paths.size > 0 : event.cause === 'tick' || domains !== before.domains;
    if (!isNews) return { ...before, pathless: [], unreadable };
    const all = [...before.paths, ...(isFound ? event.paths : [])];
    const runs = new Set(all.length === 0 ? [] : domains.map(domainRunKey));
    const paths = new Map(all.filter(([run]) => runs.has(run)));
    const isPathless = (domain: KnownDomain): boolean =>
      domain.id !== undefined &&
      typeof domain.channel !== 'string' &&
      (paths.size === 0 || !paths.has(domainRunKey(domain)));
    return {
      domains,
      paths,
      channelSet: reconcile(before.channelSet, domains, paths, maxChannels),
      pathless: isFound ? [] : domains.filter(isPathless),
      unreadable,
    };
  };

/**
 * Follows the domains of the snapshots. Searches for sockets that no XML names at every tick until they are found.
 * `snapshot$` is hot.
 */
export const channelSets$ = (
  snapshot$: Observable<Snapshot>,
  channelPaths: readonly string[],
  maxChannels: number,
): Observable<ChannelSetChange> =>
  defer(() => {
    const found$ = new Subject<Found>();
    return merge(snapshot$, found$).pipe(
      scan(nextDiscovery(maxChannels), NOTHING_KNOWN),
      connect((discovery$) =>
        merge(
          discovery$.pipe(
            map(({ channelSet }) => channelSet),
            distinctUntilChanged(),
            map((channelSet) => ({ channelSet })),
          ),
          discovery$.pipe(
            map(({ unreadable }) => unreadable),
            distinctUntilChanged(),
            filter((unreadable) => unreadable !== ''),
            map((unreadable) => ({ unreadable })),
          ),
          discovery$.pipe(
            filter(({ pathless }) => pathless.length > 0),
            exhaustMap(({ pathless }) => lookForChannels$(pathless, channelPaths)),
            tap(found$),
            ignoreElements(),
          ),
        ),
      ),
    );
  });
