import {
  defer,
  EMPTY,
  filter,
  map,
  merge,
  type Observable,
  type SchedulerLike,
  share,
  switchMap,
  takeUntil,
  tap,
  timer,
  finalize,
  catchError,
} from 'rxjs';

import type { Domain } from '../metric.ts';
import type { Connection, DomainStats } from './libvirt/types.ts';

// A bulk call over 40 domains takes some 130 ms; longer, and a domain among them is taken to be frozen.
const IMPATIENCE = 400;
// libvirtd serves 5 calls of one client at a time (max_client_requests); one stays free for everything else.
const CALLS_AT_ONCE = 4;

/**
 * Bulk statistics in spite of frozen domains. A bulk call hangs for as long as one QEMU among its domains does not
 * answer. It then holds that QEMU's monitor, so a second call (NOWAIT) passes it by and answers for all the others;
 * the frozen one's answer comes from the first call, whenever that returns. With more frozen domains at once than
 * CALLS_AT_ONCE - 1 nothing further is asked until one of them answers.
 */
export const patientStats = (options: {
  readonly groups: number;
  /** Whether a record holds every statistic that is wanted. */
  readonly isWhole: (stats: DomainStats) => boolean;
  readonly scheduler: SchedulerLike;
}): ((connection: Connection, domains: readonly Domain[]) => Observable<readonly DomainStats[]>) => {
  const { groups, isWhole, scheduler } = options;
  // Domains whose full answer lacked a statistic: they will not have it in a second call either.
  const lacking = new Set<string>();
  let callsOnTheWay = 0;

  return (connection, domains) =>
    defer(() => {
      const answered = new Set<Domain>();
      const unanswered = (stats: readonly DomainStats[]): readonly DomainStats[] => {
        const fresh = stats.filter(({ domain }) => !answered.has(domain));
        for (const { domain } of fresh) answered.add(domain);
        return fresh;
      };
      const ask$ = (first: boolean): Observable<readonly DomainStats[]> =>
        defer(() => {
          if (callsOnTheWay >= CALLS_AT_ONCE) return EMPTY;
          callsOnTheWay += 1;
          const call$ = connection.stats$(domains, groups).pipe(
            finalize(() => (callsOnTheWay -= 1)),
            share(),
          );
          const whole$ = call$.pipe(
            tap((all) => {
              if (first) for (const stats of all) lacking[isWhole(stats) ? 'delete' : 'add'](stats.domain.uuid);
            }),
            map((all) => (first ? all : all.filter((stats) => isWhole(stats) || lacking.has(stats.domain.uuid)))),
          );
          const again$ = timer(IMPATIENCE, scheduler).pipe(
            takeUntil(call$.pipe(catchError(() => EMPTY))),
            switchMap(() => ask$(false)),
          );
          return merge(whole$, again$);
        });
      return ask$(true).pipe(
        map(unanswered),
        filter((fresh) => fresh.length > 0),
      );
    });
};
