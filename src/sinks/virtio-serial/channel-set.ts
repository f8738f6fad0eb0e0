import {
  combineLatest,
  defer,
  distinctUntilChanged,
  exhaustMap,
  filter,
  map,
  merge,
  of,
  pairwise,
  scan,
  share,
  startWith,
  tap,
} from 'rxjs';
import type { Observable } from 'rxjs';

import { domainRunKey, type KnownDomain, type Snapshot } from '../../model/metric.ts';
import { lookForChannels$ } from './socket-discovery.ts';
import type { Found, Paths } from './socket-discovery.ts';
import { EMPTY_SET, reconcile, sharedOf } from './reconcile.ts';
import type { ChannelSet } from './reconcile.ts';

/** A plan with the one before it, or directories that could not be read, of which each text comes once. */
export type ChannelSetChange =
  | { readonly plan: ChannelSet; readonly before: ChannelSet }
  | { readonly unreadable: string };

const pathless = (domains: readonly KnownDomain[], found: Paths): readonly KnownDomain[] =>
  domains.filter(
    (domain) => domain.id !== undefined && typeof domain.channel !== 'string' && !found.has(domainRunKey(domain)),
  );

/**
 * Follows the domains of the snapshots, and plans anew when they are others, or when two of them share a socket. Sockets that no XML names are looked for
 * with every tick, until they are found. `snapshot$` is hot.
 */
export const channelSets$ = (
  snapshot$: Observable<Snapshot>,
  channelPaths: readonly string[],
  maxChannels: number,
): Observable<ChannelSetChange> =>
  defer(() => {
    let paths: Paths = new Map();
    const keep = (domains: readonly KnownDomain[], found: Paths): void => {
      const runs = new Set(domains.map(domainRunKey));
      paths = new Map([...paths, ...found].filter(([run]) => runs.has(run)));
    };
    const look$ = (domains: readonly KnownDomain[]): Observable<Found> => {
      const missing = pathless(domains, paths);
      return missing.length === 0
        ? of()
        : lookForChannels$(missing, channelPaths).pipe(tap((found) => keep(domains, found.paths)));
    };
    const domains$ = snapshot$.pipe(
      map(({ domains }) => domains),
      filter((domains) => domains !== undefined),
      distinctUntilChanged(),
    );
    const found$ = snapshot$.pipe(
      distinctUntilChanged((before, now) => now.cause !== 'tick' && now.domains === before.domains),
      exhaustMap(({ domains = [] }) => look$(domains)),
      share(),
    );
    let newest: ChannelSet = EMPTY_SET;
    // A socket can be replaced by another domain's while no domain changes.
    const conflict$ = snapshot$.pipe(
      filter(({ cause }) => cause === 'tick'),
      map(() => [...sharedOf([...newest.channels.values(), ...newest.over, ...newest.shared])]),
      map((shared) => shared.map(({ key }) => key).join('\n')),
      startWith(''),
      distinctUntilChanged(),
    );
    const plan$ = combineLatest([
      domains$,
      found$.pipe(
        filter(({ paths: found }) => found.size > 0),
        startWith(undefined),
      ),
      conflict$,
    ]).pipe(
      scan((before, [domains]) => reconcile(before, domains, paths, maxChannels), EMPTY_SET),
      tap((now) => (newest = now)),
      startWith(EMPTY_SET),
      pairwise(),
      map(([before, now]) => ({ before, plan: now })),
    );
    const unreadable$ = found$.pipe(
      map(({ unreadable }) => unreadable.join('; ')),
      distinctUntilChanged(),
      filter((unreadable) => unreadable !== ''),
      map((unreadable) => ({ unreadable })),
    );
    return merge(plan$, unreadable$);
  });
