import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Domain, KnownDomain, MetricDefinition, Outcome, Reading, Snapshot } from '../../src/model/metric.ts';
import { byRun } from '../../src/model/run-order.ts';
import type { Batch } from '../../src/streams/poll.ts';
import {
  initialState,
  type Message,
  nextState,
  OVERDUE,
  snapshotOf,
  type State,
} from '../../src/streams/snapshot-state.ts';
import type { Trigger } from '../../src/streams/trigger.ts';

const metric = (index: number, context: 'host' | 'vm'): MetricDefinition => ({
  index,
  name: `m${index}`,
  type: 'uint32',
  context,
  source: { kind: 'stat', stat: 'cpu.time' },
  variables: [],
  every: 1,
  timeout: 1000,
  place: { file: 'f', line: 1, column: 1 },
});
const [host, ofVm] = [metric(0, 'host'), metric(1, 'vm')];
const a: Domain = { uuid: 'a', id: 1, name: 'a' };
const b: Domain = { uuid: 'b', id: 2, name: 'b' };

const value = (text: string): Outcome => ({ ok: true, samples: [{ name: 'n', type: 'uint32', value: text }] });
const hostReading = (text: string): Reading => ({ metric: host, outcome: value(text) });
const reading = (domain: Domain, text: string): Reading => ({ metric: ofVm, domain, outcome: value(text) });

const knownOf = ({ uuid, id, name }: Domain): KnownDomain => ({ uuid, id, name, persistent: false });
const KNOWN = new Map([a, b].map((domain) => [domain, knownOf(domain)]));

/** Returns a tick, or a change of the domains, at `at`. */
const trigger = (
  cause: Trigger['cause'],
  at: number,
  domains: readonly Domain[],
  more: Partial<Trigger> = {},
): Trigger => ({
  cause,
  tick: 0,
  at,
  inventory: {
    connected: true,
    heard: true,
    domains: [...domains].sort(byRun),
    known: domains.flatMap((domain) => KNOWN.get(domain) ?? []),
  },
  reached: false,
  due: domains,
  gone: new Set(),
  ...more,
});
const batch = (kind: Batch['kind'], of: Trigger, ...readings: readonly Reading[]): Batch => ({
  kind,
  trigger: of,
  readings,
});

/** Returns the state after these messages, the n-th at n milliseconds. */
const after = (messages: readonly Message[], from: State = initialState([host, ofVm])): State =>
  messages.reduce((state, message, at) => nextState(state, message, at), from);

const tick = trigger('tick', 7, [a]);
/** Returns the tick with number `at` at time `at`. */
const later = (at: number, more: Partial<Trigger> = {}): Trigger => ({ ...tick, tick: at, at, ...more });
const whole = batch('whole', tick, hostReading('1'), reading(a, '2'));
// A new one for each test, because its values change.
const started = (): State => after([tick, whole]);

describe('The first snapshot', () => {
  it('is due when everything has been collected once, and is of its tick', () => {
    expect(after([tick]).due).toBeUndefined();
    expect(after([tick, batch('whole', tick, reading(a, '2'))]).due).toBeUndefined();
    expect(started().due).toEqual({ cause: 'tick', at: 7 });
  });

  it('is due when it is overdue, but not before a tick has been collected', () => {
    expect(after([OVERDUE]).due).toBeUndefined();
    expect(after([tick, OVERDUE]).due).toBeUndefined();
    const change = trigger('domains', 3, [a]);
    expect(after([change, batch('whole', change, hostReading('1'), reading(a, '2'))]).due).toBeUndefined();
    expect(after([tick, OVERDUE, batch('whole', tick)]).due).toEqual({ cause: 'tick', at: 7 });
    expect(after([tick, batch('whole', tick), OVERDUE]).due).toEqual({ cause: 'tick', at: 7 });
  });

  it('waits for no domain while libvirt is away', () => {
    const away = { ...tick, inventory: { ...tick.inventory, connected: false } };
    expect(after([away, batch('whole', away, hostReading('1'))]).due).toEqual({ cause: 'tick', at: 7 });
  });
});

describe('A later snapshot', () => {
  it('is due with each whole tick', () => {
    const next = { ...tick, tick: 1, at: 8 };
    expect(after([next], started()).due).toBeUndefined();
    expect(after([next, batch('whole', next)], started()).due).toEqual({ cause: 'tick', at: 8 });
  });

  it('is due when a domain has gone, and of one that has come with its first values', () => {
    const gone = trigger('domains', 9, [], { gone: new Set(['a 1']) });
    expect(after([gone], started()).due).toEqual({ cause: 'change', at: 9 });
    const come = trigger('domains', 9, [a, b], { due: [b] });
    expect(after([come], started()).due).toBeUndefined();
    expect(after([come, batch('whole', come, reading(b, '3'))], started()).due).toEqual({ cause: 'change', at: 9 });
  });

  it('is due when a domain is defined, but not while others are being collected, with which it is shown', () => {
    const defined = trigger('domains', 9, [a], { due: [] });
    const known: readonly KnownDomain[] = [knownOf(a), { uuid: 'c', name: 'c', persistent: true }];
    const inventory = { ...defined.inventory, known };
    expect(after([{ ...defined, inventory }], started()).due).toEqual({ cause: 'change', at: 9 });
    expect(after([{ ...defined, inventory, due: [a] }], started()).due).toBeUndefined();
  });

  it('is due with a late value, if it differs', () => {
    expect(after([batch('late', tick, reading(a, '2'))], started()).due).toBeUndefined();
    // A value of a run that has ended.
    expect(after([batch('late', tick, reading({ ...a, id: 5 }, '3'))], started()).due).toBeUndefined();
    expect(nextState(started(), batch('late', tick, reading(a, '3')), 123).due).toEqual({ cause: 'change', at: 123 });
  });

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
});

describe('The silence of libvirt', () => {
  const silence = (...messages: readonly Message[]): number => after(messages, started()).silent;

  it('is counted in ticks at which a domain ran', () => {
    expect(silence(later(1), later(2))).toBe(2);
    expect(silence(later(1), { ...trigger('domains', 1, [a]), tick: 1 }, later(2))).toBe(2);
    expect(silence(later(1), later(2, { inventory: trigger('tick', 2, []).inventory }), later(3))).toBe(1);
  });

  it('ends with a statistic of a domain, not with one of the host or with an action', () => {
    const action = { ...ofVm, source: { kind: 'action', command: 'true' } } as const;
    expect(silence(later(1), batch('late', tick, reading(a, '3')))).toBe(0);
    expect(silence(later(1), batch('late', tick, hostReading('3')))).toBe(1);
    expect(silence(later(1), batch('late', tick, { ...reading(a, '3'), metric: action }))).toBe(1);
  });

  it('begins anew where libvirt was away', () => {
    const away = { ...tick.inventory, connected: false };
    expect(silence(later(1), later(2, { inventory: away }))).toBe(0);
    // At the tick of its return libvirt cannot have answered yet.
    expect(silence(later(1), later(2, { inventory: away }), later(3))).toBe(0);
    expect(silence(later(1), later(2, { inventory: away }), later(3), later(4))).toBe(1);
  });

  it('of three periods leaves domains without their late values, and the host with its own', () => {
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

describe('A late batch', () => {
  it('makes a snapshot due also where only one of its values is news', () => {
    const both = trigger('tick', 8, [a, b]);
    const dueAfter = (valueOfB: string) => {
      const state = after([both, batch('whole', both, reading(a, '3'), reading(b, '4'))], started());
      return after([batch('late', both, reading(a, '3'), reading(b, valueOfB))], state).due;
    };
    expect(dueAfter('5')).toBeDefined();
    expect(dueAfter('4')).toBeUndefined();
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
