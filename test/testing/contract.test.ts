import { asyncScheduler, of } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { deliverLatest } from '../../src/sinks/delivery.ts';
import { sinkContract, type SinkUnderTest, UNRELIABLE } from '../../src/testing/index.ts';

/** A sink that keeps numbers as JSON; `shows` returns what it claims to show. */
const numbers = (shows: (tick: number) => string) => (): SinkUnderTest => {
  const kept: string[] = [];
  let broken = false;
  const breaks = () => {
    broken = true;
    return () => (broken = false);
  };
  return {
    sink: deliverLatest(
      'numbers',
      of({
        opened: 'open',
        write$: (snapshot) => {
          if (broken) throw new Error('broken');
          kept.push(...snapshot.host.map(({ value }) => JSON.stringify(Number(value))));
          return of({ kind: 'written', snapshot, message: 'kept' } as const);
        },
      }),
      { scheduler: asyncScheduler, backoff: { first: 10, most: 50 } },
    ),
    hold: breaks,
    fail: breaks,
    target: () => kept.join(' '),
    value: shows,
  };
};
const FIRST = 'delivers what comes, and says so';
const ruleOf = (name: string, make: () => SinkUnderTest) => sinkContract(make).find((rule) => rule.name === name);

describe('CASE E11: a sink of numbers', () => {
  for (const { name, run } of sinkContract(numbers(String), { skip: [] })) it(`keeps the contract: it ${name}`, run);

  it('fails if it does not show a value', async () => {
    await expect(
      ruleOf(
        FIRST,
        numbers((tick) => `${tick}.5`),
      )?.run(),
    ).rejects.toThrow(/match/);
  });
});

describe('CASE E11: rules that a transport cannot keep', () => {
  it('are left out by their names', () => {
    const all = sinkContract(numbers(String)).map(({ name }) => name);
    const kept = sinkContract(numbers(String), { skip: UNRELIABLE }).map(({ name }) => name);
    expect(all).toEqual(expect.arrayContaining([...UNRELIABLE]));
    expect(kept).toEqual(all.filter((name) => !(UNRELIABLE as readonly string[]).includes(name)));
  });

  it('must be rules', () => {
    expect(() => sinkContract(numbers(String), { skip: ['is quick'] })).toThrow('The contract has no rule "is quick"');
  });
});
