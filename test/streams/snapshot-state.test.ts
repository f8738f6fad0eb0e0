import { describe, expect, it } from 'vitest';

import type { KnownDomain } from '../../src/model/metric.ts';
import { type Message, nextState, OVERDUE } from '../../src/streams/snapshot-state.ts';
import { a, after, b, batch, hostReading, knownOf, later, ofVm, reading, started, tick, trigger } from './messages.ts';

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
});
