import { describe, expect, it } from 'vitest';

import { expectedStats } from '../../../src/sources/libvirt/expected-stats.ts';
import type { DomainStats } from '../../../src/sources/libvirt/types.ts';

const domain = { uuid: 'a', id: 1, name: 'a' };
const stats = (count: number): DomainStats => ({
  domain,
  fields: new Map(Array.from({ length: count }, (_, index) => [`s${index}`, 1])),
});
const expected = () => expectedStats(3, ({ fields }) => fields.size);

describe('The statistics of a domain', () => {
  it('are whole with all that are wanted, or with as many as it had before', () => {
    const { isWhole, isKnown, learn } = expected();
    expect([isWhole(stats(2)), isWhole(stats(3)), isKnown(domain)]).toEqual([false, true, false]);
    learn(stats(2));
    expect([isWhole(stats(1)), isWhole(stats(2)), isKnown(domain)]).toEqual([false, true, true]);
  });

  it('are believed at once to be fewer than wanted, if it never had more', () => {
    expect(expected().judged(stats(2))).toEqual(stats(2));
  });

  it('are believed to be fewer than before at the tenth time in a row only', () => {
    const { judged, learn } = expected();
    learn(stats(3));
    const partial = (times: number) => Array.from({ length: times }, () => judged(stats(2)).partial);
    expect(partial(8)).toEqual(Array(8).fill(true));
    learn(stats(3));
    expect(partial(10)).toEqual([...Array(9).fill(true), undefined]);
  });
});
