import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Domain, Outcome, Snapshot } from '../../src/model/metric.ts';
import { snapshotOf } from '../../src/streams/build-snapshot.ts';
import {
  a,
  after,
  b,
  batch,
  host,
  hostReading,
  later,
  ofVm,
  reading,
  started,
  tick,
  trigger,
  value,
} from './messages.ts';

describe('A snapshot', () => {
  it('has the same objects as the one before where nothing changed, and the domains by their ids', () => {
    const due = { cause: 'tick', at: 8 } as const;
    const both = trigger('tick', 8, [b, a]);
    const state = after([both, batch('whole', both, reading(a, '3'), reading(b, '4'))], started());
    const before = snapshotOf(state, due, undefined);
    expect(before.domainMetrics.map(({ domain }) => domain)).toEqual([a, b]);
    const now = snapshotOf(after([batch('late', both, reading(b, '5'))], state), due, before);
    expect(now.host).toBe(before.host);
    expect(now.domainMetrics[0]).toBe(before.domainMetrics[0]);
    expect(now.domainMetrics[1]).not.toBe(before.domainMetrics[1]);
  });

  it('keeps the objects of the host where libvirt is silent', () => {
    const state = after([later(1), later(2), later(3)], started());
    const due = { cause: 'tick', at: 9 } as const;
    const before = snapshotOf(state, due, undefined);
    const now = after([batch('late', later(3), hostReading('1'))], state);
    expect(snapshotOf(now, due, before).host).toBe(before.host);
  });

  it('shows no domain before its first collection has come to an end', () => {
    const come = trigger('domains', 9, [a, b], { due: [b] });
    const state = after([come, batch('late', come, reading(b, '3'))], started());
    expect(snapshotOf(state, { cause: 'change', at: 9 }, undefined).domainMetrics).toMatchObject([{ domain: a }]);
  });

  it('after three silent periods of libvirt has no late values of domains, but those of the host', () => {
    const due = { cause: 'tick', at: 9 } as const;
    const valuesAfter = (...ticks: readonly number[]) =>
      snapshotOf(
        after(
          ticks.map((at) => later(at)),
          started(),
        ),
        due,
        undefined,
      );
    expect(valuesAfter(1, 2)).toMatchObject({ domainMetrics: [{ domain: a }], missing: [] });
    expect(valuesAfter(1, 2)).not.toHaveProperty('late');
    expect(valuesAfter(1, 2, 3)).toMatchObject({
      host: [{ value: '1' }],
      domainMetrics: [],
      missing: [{ metric: ofVm, domain: a }],
      late: [{ metric: host, tick: 0 }],
    });
  });
});

describe('A snapshot of what has changed', () => {
  const DOMAINS = [1, 2, 3, 4].map((id): Domain => ({ uuid: `d${id % 3}`, id, name: `n${id}` }));
  const step = fc.record({
    isTick: fc.boolean(),
    isWhole: fc.boolean(),
    isConnected: fc.boolean(),
    running: fc.subarray(DOMAINS, { minLength: 1 }),
    answers: fc.array(fc.tuple(fc.nat(3), fc.option(fc.nat(2), { freq: 9 })), { maxLength: 4 }),
    isShown: fc.boolean(),
  });

  it('is the same as one of everything, with the same objects of the one before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let state = started();
        let before: Snapshot | undefined;
        let number = 0;
        let inventory = tick.inventory;
        for (const { isTick, isWhole, isConnected, running, answers, isShown } of steps) {
          number += isTick ? 2 : 0;
          inventory = { ...inventory, connected: isConnected, domains: running };
          const cause = isTick ? 'tick' : 'domains';
          const message = trigger(cause, number, [], { tick: number, inventory, due: running });
          const readings = answers.flatMap(([at, given]) => {
            const domain = DOMAINS[at];
            const outcome: Outcome = given === null ? { ok: false, stage: 'stat', reason: 'r' } : value(String(given));
            return domain === undefined ? [] : { metric: ofVm, domain, outcome };
          });
          state = after([message, batch(isWhole ? 'whole' : 'late', message, ...readings)], state);
          if (!isShown) continue;
          const due = { cause: 'change', at: number } as const;
          const now = snapshotOf(state, due, before);
          const whole = snapshotOf({ ...state, changes: { all: true, domains: new Set() } }, due, before);
          expect(now).toEqual(whole);
          if (before !== undefined)
            for (const [at, one] of whole.domainMetrics.entries())
              if (before.domainMetrics.includes(one)) expect(now.domainMetrics[at]).toBe(one);
          before = now;
        }
      }),
      { numRuns: 500 },
    );
  });
});
