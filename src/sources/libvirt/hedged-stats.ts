import {
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
  timer,
} from 'rxjs';

import type { Domain } from '../../model/metric.ts';
import { hedge } from '../../rx/hedge.ts';
import { expectedStats } from './expected-stats.ts';
import type { Connection, DomainStats } from './types.ts';

// Milliseconds after which one of the domains of a call counts as frozen. A bulk call over 40 domains takes 130 ms.
const HEDGE_AFTER = 400;
// Milliseconds before a retry: a domain that starts or resumes holds its monitor for 10 ms, and answers in part.
const ASK_AGAIN = 100;
const TRIES = 4;
export interface HedgeOptions {
  readonly groups: number;
  /** Number of statistics wanted of each domain. `found`: number of them in an answer. */
  readonly wanted: number;
  readonly found: (stats: DomainStats) => number;
  /** Most simultaneous calls; libvirtd serves 5 calls per client at a time (max_client_requests). */
  readonly mostCalls: number;
  readonly scheduler: SchedulerLike;
}

/** Answer of one call. `passing`: it skips frozen domains. */
interface Answer {
  readonly all: readonly DomainStats[];
  readonly passing: boolean;
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
  const { isWhole, isKnown, judged, learn } = expectedStats(wanted, found);
  const pending = new Set<symbol>();
  const counted = <T>(call$: Observable<T>): Observable<T> => {
    const call = Symbol('call');
    pending.add(call);
    return call$.pipe(finalize(() => pending.delete(call)));
  };

  return (connection, domains) =>
    defer(() => {
      // Number of statistics emitted for each domain; a domain that was frozen may have more later.
      const emitted = new Map<Domain, number>();
      const isNew = (stats: DomainStats): boolean => found(stats) > (emitted.get(stats.domain) ?? -1);

      const answer$ = (asked: readonly Domain[], passing: boolean): Observable<Answer> =>
        defer(() => {
          if (pending.size >= mostCalls) return EMPTY;
          const skipping$ = defer(() => answer$(asked, true));
          return counted(connection.stats$(asked, groups)).pipe(
            map((all): Answer => ({ all, passing })),
            hedge(HEDGE_AFTER, skipping$, scheduler),
          );
        });
      const ask$ = (asked: readonly Domain[], tries: number, passing: boolean): Observable<readonly DomainStats[]> =>
        answer$(asked, passing).pipe(mergeMap((answer) => ready$(answer, tries)));
      // Complete answers pass at once, partial ones after a retry.
      const ready$ = ({ all, passing }: Answer, tries: number): Observable<readonly DomainStats[]> => {
        const fresh = all.filter(isNew);
        // In a call that skips frozen domains, a partial answer of a domain that had more before does not count.
        const parts = fresh.filter((stats) => !isWhole(stats) && !(passing && isKnown(stats.domain)));
        const ready = [...fresh.filter(isWhole), ...(tries === 1 ? parts.map(judged) : [])];
        for (const stats of ready) emitted.set(stats.domain, found(stats));
        for (const stats of ready) if (stats.partial !== true) learn(stats);
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
