import { concat, map, NEVER, Observable, of, Subject, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain } from '../../../src/model/metric.ts';
import { hedgedStats } from '../../../src/sources/libvirt/hedged-stats.ts';
import type { DomainStats } from '../../../src/sources/libvirt/types.ts';
import { domain, fakeConnection, statsOf, virtualTime } from '../fake-libvirt.ts';

const [a, b, c, d, e] = [domain('a'), domain('b'), domain('c'), domain('d'), domain('e')];

const WHOLE = { one: 1, two: 2 };
const PART = { one: 1 };

/**
 * Imitates libvirt: a call asks its domains in turn and hangs at a frozen one, whose monitor it then holds; another
 * call gets a part of such a domain's statistics at once. A call takes 10 ms of virtual time.
 */
const stage = (end: number, mostCalls = 4) => {
  const time = virtualTime(end);
  const frozen = new Set<Domain>();
  const held = new Set<Domain>();
  const lacking = new Set<Domain>();
  const thawed = new Subject<Domain>();
  const calls: string[] = [];
  const fieldsOf = (one: Domain): Readonly<Record<string, number>> =>
    held.has(one) || lacking.has(one) ? PART : WHOLE;
  const rest$ = (asked: readonly Domain[], done: readonly DomainStats[]): Observable<readonly DomainStats[]> => {
    const [one, ...others] = asked;
    if (one === undefined) return timer(10, time.scheduler).pipe(map(() => done));
    if (!frozen.has(one) || held.has(one)) return rest$(others, [...done, statsOf(one, fieldsOf(one))]);
    held.add(one);
    return new Observable((subscriber) =>
      thawed.subscribe((which) => {
        if (which !== one) return;
        held.delete(one);
        rest$(others, [...done, statsOf(one, fieldsOf(one))]).subscribe(subscriber);
      }),
    );
  };
  const connection = fakeConnection({
    stats$: (asked) => {
      calls.push(`${time.scheduler.now()}: ${asked.map(({ name }) => name).join('')}`);
      return rest$(asked, []);
    },
  });
  const found = ({ fields }: DomainStats): number => fields.size;
  const stats$ = hedgedStats({ groups: 8, wanted: 2, found, mostCalls, scheduler: time.scheduler });
  const ask = (domains: readonly Domain[]): void =>
    void stats$(connection, domains)
      .pipe(
        map((all) =>
          all
            .map(({ domain: of, fields, partial }) => `${of.name}${fields.size}${partial ? ' partial' : ''}`)
            .join(' '),
        ),
      )
      .subscribe({ next: time.see, error: time.see, complete: () => time.see('|') });
  const at = (ms: number, what: () => void): void => void time.scheduler.schedule(what, ms);
  const thaw = (one: Domain): void => {
    frozen.delete(one);
    thawed.next(one);
  };
  return { ...time, frozen, held, lacking, calls, connection, stats$, ask, at, thaw };
};

describe('Bulk statistics', () => {
  it('are one call where all answer', () => {
    const { scheduler, seen, calls, ask } = stage(2000);
    ask([a, b, c]);
    scheduler.flush();
    expect(calls).toEqual(['0: abc']);
    expect(seen).toEqual([
      [10, 'a2 b2 c2'],
      [10, '|'],
    ]);
  });

  it('FAULTS 38: come from all others after 400 ms if one is frozen, and from that one when it goes on', () => {
    const { scheduler, seen, calls, ask, at, thaw, frozen } = stage(5000);
    frozen.add(b);
    ask([a, b, c]);
    at(3000, () => thaw(b));
    scheduler.flush();
    expect(calls[1]).toBe('400: abc');
    expect(seen).toEqual([
      [410, 'a2 c2'],
      // There are no earlier answers of b: the statistics without QEMU count as complete until it answers with more.
      [740, 'b1'],
      [3010, 'b2'],
      [3010, '|'],
    ]);
  });

  it('FAULTS 38: come from all others also where three are frozen at once, each one passed by after 400 ms', () => {
    const { scheduler, seen, calls, ask, at, thaw, frozen } = stage(5000);
    ask([a, b, c, d, e]);
    at(500, () => {
      for (const one of [a, c, d]) frozen.add(one);
      ask([a, b, c, d, e]);
    });
    at(3000, () => [a, c, d].forEach(thaw));
    scheduler.flush();
    expect(calls).toEqual(['0: abcde', '500: abcde', '900: abcde', '1300: abcde', '1700: abcde']);
    expect(seen.slice(2)).toEqual([
      [1710, 'b2 e2'],
      [3010, 'a2'],
      [3010, 'c2'],
      [3010, 'd2'],
      [3110, '|'],
    ]);
  });

  it('are asked by a bounded number of calls: with as many frozen domains nothing more is asked, until one goes on', () => {
    const { scheduler, seen, calls, ask, at, thaw, frozen } = stage(5000, 2);
    for (const one of [a, b]) frozen.add(one);
    ask([a, b, c]);
    at(2000, () => ask([c]));
    at(3200, () => thaw(b));
    at(3000, () => thaw(a));
    at(3500, () => ask([c]));
    scheduler.flush();
    expect(calls).toEqual(['0: abc', '400: abc', '3110: b', '3500: c']);
    expect(seen).toContainEqual([2000, '|']);
    expect(seen).toContainEqual([3510, 'c2']);
  });

  it('of a domain that gives a part only, since it is just starting, are asked again until they are whole', () => {
    const { scheduler, seen, calls, ask, at, held } = stage(2000);
    held.add(b);
    at(150, () => held.delete(b));
    ask([a, b]);
    scheduler.flush();
    expect(calls).toEqual(['0: ab', '110: b', '220: b']);
    expect(seen).toEqual([
      [10, 'a2'],
      [230, 'b2'],
      [230, '|'],
    ]);
  });

  it('that a domain does not have are believed after four calls, and are not waited for again', () => {
    const { scheduler, seen, calls, ask, at, lacking } = stage(2000);
    lacking.add(b);
    ask([a, b]);
    at(1000, () => ask([a, b]));
    scheduler.flush();
    expect(calls).toEqual(['0: ab', '110: b', '220: b', '330: b', '1000: ab']);
    expect(seen).toEqual([
      [10, 'a2'],
      [340, 'b1'],
      [340, '|'],
      [1010, 'a2 b1'],
      [1010, '|'],
    ]);
  });

  it('CASE B10: of a domain that gave more before are a part only, until ten collections in a row gave no more', () => {
    const { scheduler, seen, ask, at, lacking } = stage(14_000);
    ask([a]);
    at(500, () => lacking.add(a));
    for (let tick = 1; tick <= 12; tick += 1) at(tick * 1000, () => ask([a]));
    scheduler.flush();
    const parts = seen.map(([, text]) => text).filter((text) => text !== '|');
    expect(parts).toEqual(['a2', ...Array.from({ length: 9 }, () => 'a1 partial'), 'a1', 'a1', 'a1']);
  });

  it('CASE B10: of a domain that gives all again in between are never believed to be less', () => {
    const { scheduler, seen, ask, at, lacking } = stage(32_000);
    for (let tick = 0; tick < 30; tick += 1)
      at(tick * 1000, () => {
        if (tick % 8 === 0) lacking.delete(a);
        else lacking.add(a);
        ask([a]);
      });
    scheduler.flush();
    expect(new Set(seen.map(([, text]) => text))).toEqual(new Set(['a2', 'a1 partial', '|']));
  });

  it('of a domain that lacks one come also past a frozen one', () => {
    const { scheduler, seen, ask, lacking, frozen } = stage(2000);
    lacking.add(c);
    frozen.add(a);
    ask([a, b, c]);
    scheduler.flush();
    expect(seen[0]).toEqual([410, 'b2']);
    expect(seen).toContainEqual([expect.any(Number), expect.stringContaining('c1')]);
  });

  it('keep the last value of a frozen domain that has answered before: a part is no answer then', () => {
    const { scheduler, seen, ask, at, frozen } = stage(3000);
    ask([a, b]);
    at(1000, () => {
      frozen.add(a);
      ask([a, b]);
    });
    scheduler.flush();
    expect(seen.slice(2)).toEqual([[1410, 'b2']]);
  });

  it('FAULTS 36: of domains that have all gone meanwhile are nothing, and leave no call behind', () => {
    const { scheduler, seen, stats$ } = stage(2000, 1);
    const gone = fakeConnection({ stats$: () => of([]) });
    const broken = fakeConnection({ stats$: () => throwError(() => new Error('lost')) });
    let calls = 0;
    const hanging = fakeConnection({
      stats$: () => {
        calls += 1;
        return concat(NEVER);
      },
    });
    for (let times = 0; times < 5; times += 1) {
      stats$(gone, [a]).subscribe();
      stats$(broken, [a]).subscribe({ error: () => undefined });
    }
    for (let times = 0; times < 5; times += 1) stats$(hanging, [a]).subscribe();
    scheduler.flush();
    expect(seen).toEqual([]);
    expect(calls).toBe(1);
  });
});
