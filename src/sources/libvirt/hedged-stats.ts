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

// A bulk call over 40 domains takes some 130 ms; longer, and a domain among them is taken to be frozen.
const HEDGE_AFTER = 400;
// A domain that just starts or resumes holds its monitor for some 10 ms, and its answer is not whole.
const ASK_AGAIN = 100;
const TRIES = 4;
// On an overloaded host a monitor may be held at every try: a domain that gave more before is believed to have less only
// after so many collections in a row.
const LESS_BELIEVED = 10;

export interface HedgeOptions {
  readonly groups: number;
  /** How many statistics are wanted of each domain, and how many of them a record holds. */
  readonly wanted: number;
  readonly found: (stats: DomainStats) => number;
  /** Calls on the way at once; libvirtd serves 5 calls of one client at a time (max_client_requests). */
  readonly mostCalls: number;
  readonly scheduler: SchedulerLike;
}

/**
 * Bulk statistics in spite of frozen domains. A bulk call hangs for as long as one QEMU among its domains does not
 * answer. It then holds that QEMU's monitor, so a second call (NOWAIT) passes it by and answers for all the others;
 * the frozen one's answer comes from the first call, whenever that returns. With `mostCalls` or more frozen domains
 * at once nothing further is asked until one of them answers. A domain whose monitor is held by someone else gives
 * a part only: it is asked again some times, and one that gave more before in several collections, before it is believed that it has
 * no more.
 */
export const hedgedStats = ({
  groups,
  wanted,
  found,
  mostCalls,
  scheduler,
}: HedgeOptions): ((connection: Connection, domains: readonly Domain[]) => Observable<readonly DomainStats[]>) => {
  // Domains that are known not to have all: as many as they have.
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
      // How many statistics have been passed on of each; more may come when a frozen domain goes on.
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
      // Where a call passes frozen domains by, a part from one that has given more before is no answer.
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
