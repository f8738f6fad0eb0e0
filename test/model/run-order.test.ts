import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { byRun, itemOf, itself, lookup, type Run, withChanges, without } from '../../src/model/run-order.ts';

// Few ids and UUIDs, so that ids are used again.
const run = fc.record({
  uuid: fc.constantFrom('a', 'b', 'c'),
  id: fc.option(fc.nat(4), { nil: undefined }),
}) as fc.Arbitrary<Run>;
const keyOf = ({ uuid, id }: Run): string => `${id} ${uuid}`;
const list = fc.uniqueArray(run, { selector: keyOf }).map((runs) => runs.toSorted(byRun));

describe('lists of domains', () => {
  it('are in the order of the ids, then of the UUIDs, and end with domains that do not run', () => {
    const order: readonly Run[] = [
      { uuid: 'z', id: 2 },
      { uuid: 'a', id: 10 },
      { uuid: 'b', id: 10 },
      { uuid: 'a' },
      { uuid: 'b' },
    ];
    expect(order.toReversed().toSorted(byRun)).toEqual(order);
    expect(order.map((one) => byRun(one, { ...one }))).toEqual([0, 0, 0, 0, 0]);
  });

  it('have the item of a run, and none of another run of the same domain', () => {
    fc.assert(
      fc.property(list, run, (runs, wanted) => {
        expect(itemOf(runs, itself, wanted)).toBe(runs.find((one) => keyOf(one) === keyOf(wanted)));
      }),
    );
  });

  it('have the items of runs that come in the same order', () => {
    fc.assert(
      fc.property(list, list, (runs, wanted) => {
        const find = lookup(runs, itself);
        expect(wanted.map(find)).toEqual(wanted.map((one) => itemOf(runs, itself, one)));
      }),
    );
  });

  it('differ in items that are other objects', () => {
    fc.assert(
      fc.property(list, list, fc.func(fc.boolean()), (runs, others, isSame) => {
        // Some of the others are the same objects.
        const mixed = others.map((one) => (isSame(one) ? (itemOf(runs, itself, one) ?? one) : one));
        expect(without(mixed, runs, itself)).toEqual(mixed.filter((one) => !runs.includes(one)));
      }),
    );
  });

  it('change by some items, and stay the same object without a change', () => {
    fc.assert(
      fc.property(list, list, list, (runs, removed, added) => {
        const left = runs.filter((one) => ![...removed, ...added].some((other) => keyOf(other) === keyOf(one)));
        expect(withChanges(runs, itself, removed, added)).toEqual([...left, ...added].toSorted(byRun));
      }),
    );
    const runs = [{ uuid: 'a', id: 1 }];
    expect(withChanges(runs, itself, [], [])).toBe(runs);
  });

  it('change by very many items', () => {
    const runs = Array.from({ length: 25_000 }, (_, id) => ({ uuid: 'a', id }));
    expect(withChanges<Run>([], itself, [], runs)).toEqual(runs);
  });
});
