import { connect, map, merge, type Observable, scan, type SchedulerLike, switchMap, take, timer } from 'rxjs';

import type { Domain, DomainEvent } from '../metric.ts';
import { type Inventory, inventory$ } from './inventory.ts';

/** A reason to collect: a tick (everything that is due), or domains that came or went (only those that came). */
export interface Trigger {
  readonly cause: 'tick' | 'domains';
  /** Number of the latest tick; -1 before the first. */
  readonly tick: number;
  /** When it arose, on the scheduler's clock. */
  readonly at: number;
  readonly inventory: Inventory;
  /** Domains to collect from. */
  readonly due: readonly Domain[];
  /** Lives that have ended, by `lifeOf`. */
  readonly gone: ReadonlySet<string>;
}

/** A domain's name for one of its runs: an id that is used again by another domain, or a domain that restarts, mixes nothing. */
export const lifeOf = ({ uuid, id }: Domain): string => `${uuid}/${id}`;

const NOTHING: Inventory = { connected: false, domains: new Map() };

const byId = (a: Domain, b: Domain): number => a.id - b.id;

const onInventory = (before: Trigger, inventory: Inventory, at: number): Trigger => {
  const { tick } = before;
  const gone = new Set<string>();
  for (const domain of before.inventory.domains.values()) {
    if (inventory.domains.get(domain.uuid)?.id !== domain.id) gone.add(lifeOf(domain));
  }
  const news = [...inventory.domains.values()].filter((domain) => before.inventory.domains.get(domain.uuid) !== domain);
  // Before the first tick nothing is collected: that tick collects everything.
  const due = tick < 0 || !inventory.connected ? [] : news.sort(byId);
  return { cause: 'domains', tick, at, inventory, due, gone };
};

const onTick = ({ inventory }: Trigger, tick: number, at: number): Trigger => {
  const due = inventory.connected ? [...inventory.domains.values()].sort(byId) : [];
  return { cause: 'tick', tick, at, inventory, due, gone: new Set() };
};

/**
 * Ticks and changes of the inventory in one stream. The grid starts as soon as the first inventory is known, or
 * libvirt is known to be away, but at the latest after `patience`, so that the first snapshot is complete.
 */
export const trigger$ = (
  tick$: Observable<number>,
  event$: Observable<DomainEvent>,
  patience: number,
  scheduler: SchedulerLike,
): Observable<Trigger> =>
  inventory$(event$, scheduler).pipe(
    connect((shared$) =>
      merge(
        shared$.pipe(map((inventory) => (before: Trigger) => onInventory(before, inventory, scheduler.now()))),
        merge(shared$, timer(patience, scheduler)).pipe(
          take(1),
          switchMap(() => tick$),
          map((tick) => (before: Trigger) => onTick(before, tick, scheduler.now())),
        ),
      ),
    ),
    scan((before, next) => next(before), onTick({ inventory: NOTHING } as Trigger, -1, 0)),
  );
