import { defer, filter, map, merge, type Observable, type SchedulerLike, throttleTime } from 'rxjs';

import type { Domain, DomainEvent } from '../metric.ts';

/** Which domains run. While libvirt is away, `domains` are those that ran before. */
export interface Inventory {
  readonly connected: boolean;
  readonly domains: ReadonlyMap<string, Domain>;
}

/** After a change is passed on, further ones wait this long and are passed on together. */
export const COALESCE = 50;

interface State {
  connected: boolean;
  readonly domains: Map<string, Domain>;
  /** Domains for which `running` is news: they may have been paused. */
  readonly resumable: Set<string>;
}

const same = (a: Domain | undefined, b: Domain): boolean => a?.id === b.id && a.name === b.name;

/** Applies one event; false if it changes nothing. */
const apply = (state: State, event: DomainEvent): boolean => {
  const { domains, resumable } = state;
  switch (event.kind) {
    case 'sync':
      state.connected = true;
      domains.clear();
      for (const domain of event.domains) {
        domains.set(domain.uuid, domain);
        resumable.add(domain.uuid);
      }
      return true;
    case 'running': {
      const { domain } = event;
      if (same(domains.get(domain.uuid), domain) && !resumable.has(domain.uuid)) return false;
      resumable.delete(domain.uuid);
      domains.set(domain.uuid, domain);
      return true;
    }
    case 'paused':
      resumable.add(event.uuid);
      return false;
    case 'gone':
      resumable.delete(event.uuid);
      return domains.delete(event.uuid);
    case 'lost': {
      const changed = state.connected;
      state.connected = false;
      return changed;
    }
  }
};

/**
 * The inventory at once after the first event, then at most every 50 ms, the last state always: of a domain that
 * starts and stops in between nothing is seen. Besides that, as it then is, with whatever `look$` emits. A domain that
 * starts, resumes or is listed anew is a new object.
 */
export const inventory$ = <T>(
  event$: Observable<DomainEvent>,
  look$: Observable<T>,
  scheduler: SchedulerLike,
): Observable<{ readonly inventory: Inventory; readonly look: T | undefined }> =>
  defer(() => {
    // Copied once per emission, not once per event: a storm over thousands of domains stays cheap.
    const state: State = { connected: false, domains: new Map(), resumable: new Set() };
    const change$ = event$.pipe(
      filter((event, index) => apply(state, event) || index === 0),
      throttleTime(COALESCE, scheduler, { leading: true, trailing: true }),
      map(() => undefined),
    );
    return merge(change$, look$).pipe(
      map((look) => ({ inventory: { connected: state.connected, domains: new Map(state.domains) }, look })),
    );
  });
