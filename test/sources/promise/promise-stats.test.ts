import {
  BehaviorSubject,
  firstValueFrom,
  type Observable,
  of,
  Subject,
  throwError,
  toArray,
  VirtualTimeScheduler,
} from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain, Reading } from '../../../src/model/metric.ts';
import { failure, type Result, success } from '../../../src/model/result.ts';
import type { DomainChange } from '../../../src/sources/libvirt/domain-changes.ts';
import type { ConnectionState } from '../../../src/sources/libvirt/reconnect.ts';
import type { Connection, LifecycleEvent } from '../../../src/sources/libvirt/types.ts';
import type { Load } from '../../../src/sources/promise/load.ts';
import { needsPromises, promiseSource } from '../../../src/sources/promise/promise-stats.ts';
import { domain, fakeConnection, statMetric } from '../fake-libvirt.ts';

const VM = domain('g', 7);
const NAMES = ['promised.cpus', 'promised.cpus.usable', 'promised.block.*.total.iops', 'promised.net.0.rx.average'];
const metrics = NAMES.map((name, index) => statMetric(name, name === 'promised.cpus' ? 'real64' : 'uint64', index));

const stage = (wanted = metrics, xml$?: Connection['xml$']) => {
  const clock = new VirtualTimeScheduler();
  const change$ = new Subject<DomainChange>();
  const devices$ = new Subject<string>();
  const lifecycle$ = new Subject<LifecycleEvent>();
  const vm = { vcpus: 2, iops: 10, asked: 0 };
  const connection = fakeConnection({
    change$,
    devices$,
    lifecycle$,
    xml$:
      xml$ ??
      ((): Observable<string> => {
        vm.asked += 1;
        const disk = `<disk><target dev='vda'/><iotune><total_iops_sec>${vm.iops}</total_iops_sec></iotune></disk>`;
        return of(`<domain><vcpu>${vm.vcpus}</vcpu><devices>${disk}${disk}</devices></domain>`);
      }),
  });
  const link$ = new BehaviorSubject<ConnectionState>({ up: true, connection });
  const { collector, promisesOf, load$ } = promiseSource(wanted, link$, clock, () => 8);
  const loads: Result<Load>[] = [];
  const load = (...domains: readonly Domain[]): void => void load$(domains).subscribe((one) => loads.push(one));
  const news: (readonly string[])[] = [];
  collector.news$!.subscribe((readings) => news.push(valuesOf(readings)));
  const collect = async (...domains: readonly Domain[]) =>
    valuesOf((await firstValueFrom(collector.collect$(domains).pipe(toArray()))).flat());
  return { clock, change$, devices$, lifecycle$, vm, link$, connection, promisesOf, news, collect, load, loads };
};
/** A stage whose libvirt answers when the test does: `answer` gives a domain its number of virtual CPUs. */
const slowly = () => {
  const calls: string[] = [];
  const open: { readonly name: string; readonly answer$: Subject<string> }[] = [];
  const staged = stage(metrics, ({ name }) => {
    const answer$ = new Subject<string>();
    calls.push(name);
    open.push({ name, answer$ });
    return answer$;
  });
  const answer = (name: string, vcpus: number): void => {
    const at = open.findIndex((call) => call.name === name);
    const [call] = open.splice(at, 1);
    call!.answer$.next(`<domain><vcpu>${vcpus}</vcpu></domain>`);
    call!.answer$.complete();
  };
  return { calls, answer, stage: staged };
};
const valuesOf = (readings: readonly Reading[]): readonly string[] =>
  readings.map(({ outcome }) => (outcome.ok ? (outcome.samples[0]?.value ?? '') : outcome.reason));
const FIRST = ['2.000000', '8', '20', 'no such device'];

describe('Statistics of what a VM is entitled to', () => {
  it('are read once, and again after a minute', async () => {
    const { clock, vm, collect } = stage();
    expect(await collect(VM)).toEqual(FIRST);
    clock.frame = 30_000;
    expect(await collect(VM)).toEqual(FIRST);
    expect(vm.asked).toBe(1);
    vm.vcpus = 4;
    clock.frame = 60_000;
    expect(await collect(VM)).toEqual(['4.000000', ...FIRST.slice(1)]);
    clock.frame = 119_999;
    await collect(VM);
    expect(vm.asked).toBe(2);
  });

  it('are read again, and given at once, when libvirt reports a change of them or of the devices', async () => {
    const { change$, devices$, vm, news, collect } = stage();
    await collect(VM);
    vm.iops = 50;
    change$.next({ kind: 'resumed', uuid: VM.uuid });
    change$.next({ kind: 'tuned', uuid: 'of another' });
    expect(news).toEqual([]);
    change$.next({ kind: 'tuned', uuid: VM.uuid });
    expect(news.at(-1)).toEqual(['2.000000', '8', '100', 'no such device']);
    vm.iops = 0;
    devices$.next(VM.uuid);
    expect(news.at(-1)).toEqual(['2.000000', '8', '0', 'no such device']);
  });

  it('are those of one run, and of one connection', async () => {
    const { lifecycle$, link$, connection, vm, collect } = stage();
    await collect(VM);
    await collect({ ...VM });
    expect(vm.asked).toBe(1);
    await collect({ ...VM, id: 8 });
    expect(vm.asked).toBe(2);
    lifecycle$.next({ kind: 'gone', uuid: VM.uuid });
    await collect({ ...VM, id: 8 });
    expect(vm.asked).toBe(3);
    link$.next({ up: false, reason: 'away' });
    expect(await collect(VM)).toEqual([]);
    link$.next({ up: true, connection });
    await collect({ ...VM, id: 8 });
    expect(vm.asked).toBe(4);
  });

  it('are asked for by who needs the limits of disks, also if no metric has them', () => {
    const { clock, vm, promisesOf } = stage([statMetric('contention.block.limit')]);
    expect(promisesOf(VM)).toBeUndefined();
    expect(promisesOf(VM)?.disks[0]?.iops.total).toBe(10);
    expect(vm.asked).toBe(1);
    vm.iops = 90;
    clock.frame = 60_000;
    promisesOf(VM);
    expect(promisesOf(VM)?.disks[0]?.iops.total).toBe(90);
  });

  it('are none of a domain that has ended, or whose XML cannot be read', async () => {
    expect(await stage(metrics, () => throwError(() => new Error('gone'))).collect(VM)).toEqual([]);
    expect(await stage(metrics, () => of('<domain')).collect(VM)).toEqual([]);
  });

  it('are needed by a metric that is made of them', () => {
    expect(needsPromises([statMetric('promised.cpus')])).toBe(true);
    expect(needsPromises([statMetric('contention.block.limit')])).toBe(true);
    expect(needsPromises([{ ...statMetric('host.overcommit.memory'), context: 'host' }])).toBe(true);
    expect(needsPromises([statMetric('contention.block.time')])).toBe(false);
  });

  it('are read once for all who ask at the same time, and at most twice at once', async () => {
    const { answer, calls, stage: of } = slowly();
    const { collect, load, loads, promisesOf } = of;
    const all = ['a', 'b', 'c'].map((name) => domain(name));
    load(...all);
    const collected = collect(...all);
    promisesOf(all[0]!);
    expect(calls).toEqual(['a', 'b']);
    answer('a', 2);
    expect(calls).toEqual(['a', 'b', 'c']);
    answer('b', 3);
    expect(loads).toEqual([]);
    answer('c', 4);
    expect(loads).toEqual([success({ vcpus: 9, memory: 0 })]);
    expect((await collected).filter((_, at) => at % 4 === 0)).toEqual(['2.000000', '3.000000', '4.000000']);
    expect(calls).toEqual(['a', 'b', 'c']);
  });

  it('are read once more, and not twenty times, for changes in quick succession', async () => {
    const { answer, calls, stage: of } = slowly();
    const { collect, change$, devices$, news, clock } = of;
    const first = collect(VM);
    answer('g', 2);
    await first;
    clock.frame = 60_000;
    const second = collect(VM);
    for (const _ of Array(20)) change$.next({ kind: 'tuned', uuid: VM.uuid });
    devices$.next(VM.uuid);
    // The answer on its way may be from before the changes.
    expect(calls).toEqual(['g', 'g']);
    answer('g', 3);
    expect((await second)[0]).toBe('3.000000');
    expect(calls).toEqual(['g', 'g', 'g']);
    expect(news).toEqual([]);
    answer('g', 4);
    expect(news.map(([cpus]) => cpus)).toEqual(['4.000000']);
    expect((await collect(VM))[0]).toBe('4.000000');
    change$.next({ kind: 'tuned', uuid: VM.uuid });
    expect(calls).toHaveLength(4);
  });
});

describe('What all VMs may use', () => {
  it('is known without a metric of a VM, and read again after a minute', () => {
    const { load, loads, vm, clock } = stage([]);
    load(VM, domain('h'));
    expect(loads).toEqual([success({ vcpus: 4, memory: 0 })]);
    expect(vm.asked).toBe(2);
    load(VM, domain('h'));
    expect(vm.asked).toBe(2);
    vm.vcpus = 3;
    clock.frame = 60_000;
    load(VM);
    load(VM);
    expect(loads.at(-1)).toEqual(success({ vcpus: 3, memory: 0 }));
  });

  it('is 0 without VMs', () => {
    const { load, loads } = stage([]);
    load();
    expect(loads).toEqual([success({ vcpus: 0, memory: 0 })]);
  });

  it('is that of the others if one has ended, also while it was read', () => {
    const { answer, stage: of } = slowly();
    const { lifecycle$, load, loads } = of;
    const [one, other] = [domain('a'), domain('b')];
    load(one, other);
    answer('b', 2);
    expect(loads).toEqual([]);
    lifecycle$.next({ kind: 'gone', uuid: one.uuid });
    expect(loads).toEqual([success({ vcpus: 2, memory: 0 })]);
    // The answer about a domain that has ended is not kept.
    answer('a', 7);
    load(one);
    expect(loads).toHaveLength(1);
  });

  it('is not known, and no smaller figure, while one cannot be read', () => {
    const { clock, load, loads } = stage([], ({ name }) =>
      name === 'a' ? throwError(() => new Error('broken')) : of('<domain><vcpu>2</vcpu></domain>'),
    );
    load(domain('a'), domain('b'));
    expect(loads).toEqual([]);
    clock.maxFrames = 10_000;
    clock.flush();
    expect(loads).toEqual([failure('libvirt has not described all VMs')]);
  });

  it('holds nothing of domains whose end libvirt does not report', () => {
    const { clock, link$, connection, promisesOf, vm } = stage([]);
    link$.next({ up: true, connection: { ...connection, reports: { lifecycle: false, devices: false } } });
    promisesOf(VM);
    expect(promisesOf(VM)).toBeDefined();
    clock.frame = 120_001;
    promisesOf(domain('h'));
    expect(promisesOf(VM)).toBeUndefined();
    expect(vm.asked).toBe(3);
  });
});
