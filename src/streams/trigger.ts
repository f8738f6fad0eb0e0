import { connect, merge, type Observable, scan, type SchedulerLike, switchMap, take, timer } from 'rxjs';

import { type Domain, type DomainEvent, domainRunKey } from '../model/metric.ts';
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
  inventory: { connected: false, heard: false, domains: new Map() },
  due: [],
  gone: new Set(),
};

const byId = (a: Domain, b: Domain): number => a.id - b.id;

// A tick collects from all domains, a change from the new ones; before the first tick a change collects nothing.
const following = (before: Trigger, inventory: Inventory, tick: number | undefined, at: number): Trigger => {
  const known = before.inventory.domains;
  const gone = new Set<string>();
  for (const domain of known.values()) {
    if (inventory.domains.get(domain.uuid)?.id !== domain.id) gone.add(domainRunKey(domain));
  }
  const isDue = ({ uuid }: Domain): boolean =>
    tick !== undefined || (before.tick >= 0 && inventory.domains.get(uuid) !== known.get(uuid));
  return {
    cause: tick === undefined ? 'domains' : 'tick',
    tick: tick ?? before.tick,
    at,
    inventory,
    reached: before.tick >= 0 && inventory.connected && !before.inventory.connected,
    due: inventory.connected ? [...inventory.domains.values()].filter(isDue).sort(byId) : [],
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
