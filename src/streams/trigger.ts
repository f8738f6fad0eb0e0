import { connect, merge, type Observable, scan, type SchedulerLike, switchMap, take, timer } from 'rxjs';

import { type Domain, type DomainEvent, domainRunKey } from '../model/metric.ts';
import { itself, without } from '../model/run-order.ts';
import { type Inventory, inventory$ } from './inventory.ts';

/** A reason to collect: a tick (everything that is due), or a change of domains (only the new ones). */
export interface Trigger {
  readonly cause: 'tick' | 'domains';
  /** Number of the latest tick; -1 before the first. */
  readonly tick: number;
  /** Time on the scheduler's clock. */
  readonly at: number;
  readonly inventory: Inventory;
  /** True if libvirt has just become available (again), so that its statistics are due. */
  readonly reached: boolean;
  /** Domains to collect from. */
  readonly due: readonly Domain[];
  /** Runs of domains that have ended since the last trigger, by `domainRunKey`. */
  readonly gone: ReadonlySet<string>;
}

const START: Trigger = {
  cause: 'domains',
  tick: -1,
  at: 0,
  reached: false,
  inventory: { connected: false, heard: false, domains: [] },
  due: [],
  gone: new Set(),
};

// A tick collects from all domains, a change from the new ones; before the first tick a change collects nothing.
const following = (before: Trigger, inventory: Inventory, tick: number | undefined, at: number): Trigger => {
  const { domains, connected } = inventory;
  const changed = without(domains, before.inventory.domains, itself);
  const gone = new Set(without(before.inventory.domains, domains, itself).map(domainRunKey));
  for (const domain of changed) gone.delete(domainRunKey(domain));
  const dueAtChange = before.tick >= 0 ? changed : [];
  return {
    cause: tick === undefined ? 'domains' : 'tick',
    tick: tick ?? before.tick,
    at,
    inventory,
    reached: before.tick >= 0 && connected && !before.inventory.connected,
    due: connected ? (tick === undefined ? dueAtChange : domains) : [],
    gone,
  };
};

/**
 * Merges ticks and changes of the inventory. So that the first snapshot is complete, the grid starts when the first
 * inventory is known, or libvirt is known to be away, but at the latest after `patience`.
 */
export const trigger$ = (
  tick$: Observable<number>,
  event$: Observable<DomainEvent>,
  patience: number,
  scheduler: SchedulerLike,
): Observable<Trigger> =>
  event$.pipe(
    connect((shared$) => {
      const grid$ = merge(shared$, timer(patience, scheduler)).pipe(
        take(1),
        switchMap(() => tick$),
      );
      // A tick uses the current inventory, including changes that are still being coalesced.
      return inventory$(shared$, grid$, scheduler);
    }),
    scan((before, { inventory, look }) => following(before, inventory, look, scheduler.now()), START),
  );
