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
import type { DomainChange } from '../../../src/sources/libvirt/domain-changes.ts';
import type { ConnectionState } from '../../../src/sources/libvirt/reconnect.ts';
import type { Connection, LifecycleEvent } from '../../../src/sources/libvirt/types.ts';
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
  const { collector, promisesOf } = promiseSource(wanted, link$, clock, () => 8);
  const news: (readonly string[])[] = [];
  collector.news$!.subscribe((readings) => news.push(valuesOf(readings)));
  const collect = async (...domains: readonly Domain[]) =>
    valuesOf((await firstValueFrom(collector.collect$(domains).pipe(toArray()))).flat());
  return { clock, change$, devices$, lifecycle$, vm, link$, connection, promisesOf, news, collect };
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
    expect(needsPromises([statMetric('contention.block.time')])).toBe(false);
  });
});
