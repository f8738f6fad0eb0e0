import {
  connect,
  defer,
  EMPTY,
  filter,
  finalize,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  type SchedulerLike,
  switchMap,
  takeUntil,
  timer,
} from 'rxjs';

import type { Domain } from '../../model/metric.ts';
import type { Connection, DomainStats } from './types.ts';

// Milliseconds after which one of the domains of a call counts as frozen. A bulk call over 40 domains takes 130 ms.
const HEDGE_AFTER = 400;
// Milliseconds before a retry: a domain that starts or resumes holds its monitor for 10 ms, and answers in part.
const ASK_AGAIN = 100;
const TRIES = 4;
// Collections in a row after which a domain that had more statistics before counts as having fewer: on an overloaded
// host its monitor may be held at every try.
const LESS_BELIEVED = 10;

export interface HedgeOptions {
  readonly groups: number;
  /** Number of statistics wanted of each domain. `found`: number of them in an answer. */
  readonly wanted: number;
  readonly found: (stats: DomainStats) => number;
  /** Most simultaneous calls; libvirtd serves 5 calls per client at a time (max_client_requests). */
  readonly mostCalls: number;
  readonly scheduler: SchedulerLike;
}

/**
 * Collects bulk statistics in spite of frozen domains, with hedged requests. A bulk call hangs as long as the QEMU of
 * one of its domains does not answer, and holds that QEMU's monitor. So a second call (NOWAIT) skips the frozen domain
 * and answers for all others; the first one has the frozen domain's answer when it returns. With `mostCalls` calls
 * pending there are no further ones until one returns. A domain whose monitor another call holds answers in part. It is
 * asked again, and over several collections if it had more before, until it counts as having fewer statistics.
 */
export const hedgedStats = ({
  groups,
  wanted,
  found,
  mostCalls,
  scheduler,
}: HedgeOptions): ((connection: Connection, domains: readonly Domain[]) => Observable<readonly DomainStats[]>) => {
  // Number of statistics of domains that are known to lack some.
  const known = new WeakMap<Domain, number>();
  const partsInARow = new WeakMap<Domain, number>();
  const judged = (stats: DomainStats): DomainStats => {
    const { domain } = stats;
    if (!known.has(domain)) return stats;
    const times = (partsInARow.get(domain) ?? 0) + 1;
    partsInARow.set(domain, times);
    return times < LESS_BELIEVED ? { ...stats, partial: true } : stats;
  };
  const isWhole = (stats: DomainStats): boolean => found(stats) >= (known.get(stats.domain) ?? wanted);
  let callsOnTheWay = 0;

  return (connection, domains) =>
    defer(() => {
      // Number of statistics emitted for each domain; a domain that was frozen may have more later.
      const answered = new Map<Domain, number>();
      const isNew = (stats: DomainStats): boolean => found(stats) > (answered.get(stats.domain) ?? -1);
      const ask$ = (asked: readonly Domain[], tries: number, passing: boolean): Observable<readonly DomainStats[]> =>
        defer(() => {
          if (callsOnTheWay >= mostCalls) return EMPTY;
          callsOnTheWay += 1;
          return connection.stats$(asked, groups).pipe(
            finalize(() => (callsOnTheWay -= 1)),
            connect((call$) =>
              merge(
                call$.pipe(mergeMap((all) => settled$(all, tries, passing))),
                timer(HEDGE_AFTER, scheduler).pipe(
                  takeUntil(call$),
                  switchMap(() => ask$(asked, tries, true)),
                ),
              ),
            ),
          );
        });
      // In a call that skips frozen domains, a partial answer of a domain that had more before does not count.
      const settled$ = (
        all: readonly DomainStats[],
        tries: number,
        passing: boolean,
      ): Observable<readonly DomainStats[]> => {
        const fresh = all.filter(isNew);
        const parts = fresh.filter((stats) => !isWhole(stats) && !(passing && known.has(stats.domain)));
        const ready = [...fresh.filter(isWhole), ...(tries === 1 ? parts.map(judged) : [])];
        for (const stats of ready) {
          answered.set(stats.domain, found(stats));
          if (stats.partial === true) continue;
          known.set(stats.domain, found(stats));
          partsInARow.delete(stats.domain);
        }
        if (tries === 1 || parts.length === 0) return of(ready);
        const again$ = timer(ASK_AGAIN, scheduler).pipe(
          map(() => parts.filter(isNew).map(({ domain }) => domain)),
          filter((left) => left.length > 0),
          switchMap((left) => ask$(left, tries - 1, passing)),
        );
        return merge(of(ready), again$);
      };
      return ask$(domains, TRIES, false).pipe(filter((ready) => ready.length > 0));
    });
};
