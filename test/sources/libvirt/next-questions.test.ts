import { describe, expect, it } from 'vitest';

import type { DomainEvent } from '../../../src/model/metric.ts';
import { nextQuestions, NO_QUESTIONS } from '../../../src/sources/libvirt/domain-events.ts';

const domain = (uuid: string, id: number) => ({ uuid, id, name: uuid });
const sync = (...domains: readonly ReturnType<typeof domain>[]): DomainEvent => ({ kind: 'sync', domains });

/** Returns the domains whose channel is asked for at each event. */
const asked = (reported: boolean, events: readonly (readonly [at: number, event: DomainEvent])[]) => {
  const states = [NO_QUESTIONS];
  for (const [timestamp, value] of events) states.push(nextQuestions(reported)(states.at(-1)!, { value, timestamp }));
  return states.slice(1).map(({ uuids }) => uuids);
};

describe('The channel of a domain is asked for', () => {
  it('when the domain starts, and of no other', () => {
    expect(
      asked(true, [
        [0, { kind: 'running', domain: domain('a', 1) }],
        [1, { kind: 'paused', uuid: 'a' }],
        [2, { kind: 'gone', uuid: 'a' }],
      ]),
    ).toEqual([['a'], [], []]);
  });

  it('with the first list of all domains, and with an early one of those that it has anew', () => {
    expect(
      asked(true, [
        [0, sync(domain('a', 1), domain('b', 2))],
        [1000, sync(domain('a', 1), domain('b', 3), domain('c', 4))],
        [30_000, sync(domain('a', 1), domain('b', 3))],
      ]),
    ).toEqual([['a', 'b'], ['b', 'c'], []]);
  });

  it('with the list of each minute of all domains, though an early one came in between', () => {
    expect(
      asked(true, [
        [0, sync(domain('a', 1))],
        [30_000, sync(domain('a', 1))],
        [60_000, sync(domain('a', 1))],
        [61_000, sync(domain('a', 1))],
      ]),
    ).toEqual([['a'], [], ['a'], []]);
  });

  it('with every list of all domains where libvirt does not report devices', () => {
    expect(
      asked(false, [
        [0, sync(domain('a', 1))],
        [5000, sync(domain('a', 1))],
      ]),
    ).toEqual([['a'], ['a']]);
  });
});
