import { Subject, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain, DomainEvent } from '../../src/model/metric.ts';
import { inventory$, type Inventory } from '../../src/streams/inventory.ts';

const vm = (uuid: string, id = 1, name = uuid): Domain => ({ uuid, id, name });
const sync = (...domains: readonly Domain[]): DomainEvent => ({ kind: 'sync', domains });
const defined: DomainEvent = { kind: 'defined', uuid: 'b', name: 'b' };
const lost: DomainEvent = { kind: 'lost', reason: 'closed' };
const running = (domain: Domain): DomainEvent => ({ kind: 'running', domain });

/** Plays the events, each after a quiet time. Returns for each whether it was emitted, and the inventory after it. */
const play = (...events: readonly DomainEvent[]): readonly (Inventory & { readonly isNews: boolean })[] => {
  const scheduler = new VirtualTimeScheduler();
  const event$ = new Subject<DomainEvent>();
  const look$ = new Subject<'look'>();
  const seen: { readonly inventory: Inventory; readonly look: 'look' | undefined }[] = [];
  inventory$(event$, look$, scheduler).subscribe((each) => seen.push(each));
  return events.map((event) => {
    event$.next(event);
    scheduler.flush();
    look$.next('look');
    const [first, last = first] = seen.splice(0);
    return { ...last!.inventory, isNews: first !== last };
  });
};
const news = (...events: readonly DomainEvent[]): readonly boolean[] => play(...events).map(({ isNews }) => isNews);
const knownAfter = (...events: readonly DomainEvent[]) => play(...events).at(-1)?.known;

describe('the inventory', () => {
  it('begins with the first event, also where that is that libvirt is away', () => {
    expect(play(lost)).toMatchObject([{ isNews: true, connected: false, heard: true }]);
    expect(knownAfter(lost)).toBeUndefined();
  });

  it('has no domains before libvirt has listed them, nor after an empty list', () => {
    expect(knownAfter(running(vm('a')))).toBeUndefined();
    expect(knownAfter(sync())).toEqual([]);
  });

  it('keeps the objects of domains that a list repeats', () => {
    const [first, second] = play(sync(vm('a'), vm('b')), sync(vm('a'), vm('b')));
    expect(second?.isNews).toBe(false);
    expect(second?.domains[0]).toBe(first?.domains[0]);
    expect(second?.known).toBe(first?.known);
  });

  it('takes another name in a list as news', () => {
    const [, second] = play(sync(vm('a', 1, 'old')), sync(vm('a', 1, 'new')));
    expect(second).toMatchObject({ isNews: true, known: [{ uuid: 'a', name: 'new' }] });
    expect(second?.domains[0]?.name).toBe('new');
  });

  it('has the id of the latest run where a list has another one', () => {
    expect(knownAfter(sync(vm('a', 1)), sync(vm('a', 2)))).toMatchObject([{ uuid: 'a', id: 2 }]);
  });

  it('emits that a domain runs only where it may have been paused', () => {
    const resumed = [sync(vm('a')), running(vm('a'))];
    // The list lacks the information which domains are paused.
    expect(news(...resumed)).toEqual([true, true]);
    expect(news(...resumed, running(vm('a')))).toEqual([true, true, false]);
    expect(news(...resumed, { kind: 'paused', uuid: 'a' }, running(vm('a')))).toEqual([true, true, false, true]);
    expect(news(...resumed, sync(vm('a')), running(vm('a')))).toEqual([true, true, false, false]);
  });

  it('does not emit a repeated definition or channel', () => {
    const channel: DomainEvent = { kind: 'channel', uuid: 'a', path: '/x' };
    expect(news(sync(vm('a')), defined, defined, channel, channel)).toEqual([true, true, false, true, false]);
  });

  it('lists domains that do not run as persistent', () => {
    const [first, second] = play(sync(vm('a')), { kind: 'defined', uuid: 'b', name: 'B' });
    expect(second?.known).toEqual([
      { uuid: 'a', id: 1, name: 'a', persistent: false },
      { uuid: 'b', name: 'B', persistent: true },
    ]);
    expect(second?.known?.[0]).toBe(first?.known?.[0]);
  });

  it('lists a domain no more once it has gone, also where libvirt has been lost since', () => {
    const both = sync(vm('a'), vm('b', 2));
    expect(knownAfter(both, { kind: 'gone', uuid: 'b' })).toMatchObject([{ uuid: 'a' }]);
    expect(knownAfter(both, lost, { kind: 'gone', uuid: 'b' })).toMatchObject([{ uuid: 'a' }]);
  });

  it.each([
    ['keeps the channel of a domain that a list names again', [sync(vm('a')), defined], '/x'],
    ['keeps it when the domain resumes', [running(vm('a'))], '/x'],
    ['drops it when a list names another run of the domain', [sync(vm('a', 2))], undefined],
    ['drops it when the domain has started again', [running(vm('a', 2))], undefined],
    // The daemon has not asked for the channel yet, and the connection may still be right.
    ['keeps it after libvirt was away, until it is asked for again', [lost, sync(vm('a', 2))], '/x'],
  ] as const)('%s', (_sentence, events, channel) => {
    const known = knownAfter(sync(vm('a')), { kind: 'channel', uuid: 'a', path: '/x' }, ...events);
    expect(known?.[0]?.channel).toBe(channel);
  });
});
