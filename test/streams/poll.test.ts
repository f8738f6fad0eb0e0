import { NEVER, of, Subject, VirtualTimeScheduler } from 'rxjs';
import { expect, it } from 'vitest';

import { poll } from '../../src/streams/poll.ts';
import type { Trigger } from '../../src/streams/trigger.ts';

it('a collection that has ended holds nothing: a trigger costs the same after hundreds of them', () => {
  const trigger$ = new Subject<Trigger>();
  const sources = { hostStats$: () => NEVER, isFromLibvirt: () => false, domainCollectors: [], action$: () => of() };
  trigger$.pipe(poll(sources, [], 500, new VirtualTimeScheduler())).subscribe();
  let reads = 0;
  const readsOf = (tick: number): number => {
    const inventory = { connected: true, heard: true, domains: [] };
    const trigger: Trigger = {
      cause: 'tick',
      tick,
      at: 0,
      inventory,
      reached: false,
      due: [],
      get gone() {
        reads += 1;
        return new Set<string>();
      },
    };
    reads = 0;
    trigger$.next(trigger);
    return reads;
  };
  const first = readsOf(0);
  for (let tick = 1; tick < 300; tick += 1) readsOf(tick);
  expect(readsOf(300)).toBe(first);
});
