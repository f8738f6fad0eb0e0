import {
  BehaviorSubject,
  firstValueFrom,
  NEVER,
  type Observable,
  of,
  Subject,
  throwError,
  toArray,
  VirtualTimeScheduler,
} from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain, Reading } from '../../../src/model/metric.ts';
import { STATISTICS } from '../../../src/model/statistics.ts';
import { activityCollectors } from '../../../src/sources/activity/activity-stats.ts';
import type { DomainChange, Job } from '../../../src/sources/libvirt/domain-changes.ts';
import { LibvirtError, NO_DOMAIN } from '../../../src/sources/libvirt/call.ts';
import type { ConnectionState } from '../../../src/sources/libvirt/reconnect.ts';
import type { Connection, LifecycleEvent } from '../../../src/sources/libvirt/types.ts';
import { domain, fakeConnection, statMetric, statsOf } from '../fake-libvirt.ts';

const ROWS = STATISTICS.vm.filter(({ name }) => name.startsWith('activity.'));
const metrics = ROWS.map(({ name, type }, index) => statMetric(name, type, index));
const VM = domain('g', 7);
const XML = "<domain><devices><disk><target dev='vda'/></disk><disk><target dev='sdb'/></disk></devices></domain>";

const stage = (calls: Partial<Connection> = {}) => {
  const clock = new VirtualTimeScheduler();
  const change$ = new Subject<DomainChange>();
  const devices$ = new Subject<string>();
  const lifecycle$ = new Subject<LifecycleEvent>();
  const asked: string[] = [];
  const answers = { job: undefined as Job | undefined, disks: {} as Record<string, Job>, state: [1, 1] };
  const note = <T>(what: string, answer$: Observable<T>): Observable<T> => {
    asked.push(what);
    return answer$;
  };
  const connection = fakeConnection({
    change$,
    devices$,
    lifecycle$,
    xml$: () => note('xml', of(XML)),
    job$: ({ name }) => note(`job ${name}`, of(answers.job)),
    blockJob$: (_, disk) => note(disk, of(answers.disks[disk])),
    stats$: ([one]) => of([statsOf(one!, { 'state.state': answers.state[0]!, 'state.reason': answers.state[1]! })]),
    ...calls,
  });
  const link$ = new BehaviorSubject<ConnectionState>({ up: true, connection });
  const [collector] = activityCollectors(metrics, link$, clock);
  const news: Readonly<Record<string, string>>[] = [];
  const life = collector!.news$!.subscribe((readings) => news.push(valuesOf(readings)));
  const collect = async (...domains: readonly Domain[]) =>
    (await firstValueFrom(collector!.collect$(domains).pipe(toArray()))).flat();
  return { clock, change$, devices$, lifecycle$, asked, answers, link$, connection, news, life, collect };
};
const valuesOf = (readings: readonly Reading[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readings.map(({ metric, outcome }) => [
      metric.name.replace('activity.', ''),
      outcome.ok ? (outcome.samples[0]?.value ?? '') : outcome.reason,
    ]),
  );
const QUIET = {
  job: 'none',
  'job.time': '0',
  'job.progress': '0.000000',
  'job.ended': '0',
  'paused.time': '0',
  'paused.reason': 'none',
  'io.errors': '0',
};

describe('Statistics of what the host does to a domain', () => {
  it('are asked for at first, then after a minute, and not at each tick', async () => {
    const { clock, asked, collect } = stage();
    expect(valuesOf(await collect(VM))).toEqual(QUIET);
    expect(asked).toEqual(['xml', 'job g', 'vda', 'sdb']);
    asked.length = 0;
    clock.frame = 30_000;
    expect(valuesOf(await collect(VM))).toEqual(QUIET);
    expect(asked).toEqual([]);
    clock.frame = 60_000;
    await collect(VM);
    expect(asked).toEqual(['job g', 'vda', 'sdb']);
    clock.frame = 119_999;
    await collect(VM);
    expect(asked).toHaveLength(3);
  });

  it('are asked for at each tick while a job runs', async () => {
    const { clock, asked, answers, collect } = stage();
    answers.job = { job: 'backup', progress: 10 };
    expect(valuesOf(await collect(VM))).toMatchObject({ job: 'backup', 'job.progress': '10.000000' });
    answers.job = { job: 'backup', progress: 20 };
    clock.frame = 5000;
    expect(valuesOf(await collect(VM))).toMatchObject({ 'job.progress': '20.000000', 'job.time': '5000000000' });
    answers.job = undefined;
    clock.frame = 10_000;
    expect(valuesOf(await collect(VM))).toMatchObject({ ...QUIET, 'job.ended': '1', 'job.time': '10000000000' });
    asked.length = 0;
    await collect(VM);
    expect(asked).toEqual([]);
  });

  it('are those of a disk if the domain itself has no job', async () => {
    const { answers, collect } = stage();
    answers.disks = { sdb: { job: 'blockcopy', progress: 50 } };
    expect(valuesOf(await collect(VM))).toMatchObject({ job: 'blockcopy', 'job.progress': '50.000000' });
  });

  it('arrive without a question when libvirt reports a change, and again with its answer', async () => {
    const { change$, answers, news, asked, collect } = stage();
    await collect(VM);
    asked.length = 0;
    answers.job = { job: 'migration', progress: 3 };
    change$.next({ kind: 'job', job: 'migration', uuid: VM.uuid });
    expect(news).toMatchObject([
      { job: 'migration', 'job.progress': '0.000000' },
      { job: 'migration', 'job.progress': '3.000000' },
    ]);
    expect(asked).toEqual(['job g']);
    answers.job = undefined;
    change$.next({ kind: 'jobEnded', uuid: VM.uuid });
    expect(news.at(-1)).toMatchObject({ job: 'none', 'job.ended': '1' });
    change$.next({ kind: 'ioError', uuid: VM.uuid });
    expect(news.at(-1)).toMatchObject({ 'io.errors': '1' });
  });

  it('have the time of a pause, also of a domain that is found paused', async () => {
    const { clock, change$, answers, news, collect } = stage();
    answers.state = [3, 5];
    expect(valuesOf(await collect(VM))).toMatchObject({ 'paused.reason': 'ioerror', 'paused.time': '0' });
    clock.frame = 2000;
    answers.state = [1, 1];
    change$.next({ kind: 'resumed', uuid: VM.uuid });
    expect(news.at(-1)).toMatchObject({ 'paused.reason': 'ioerror', 'paused.time': '2000000000' });
    // A domain that has resumed is another object.
    clock.frame = 9000;
    expect(valuesOf(await collect({ ...VM }))).toMatchObject({ 'paused.time': '2000000000' });
  });

  it('look for the disks again when a device comes or goes', async () => {
    const { clock, devices$, asked, collect } = stage();
    await collect(VM);
    devices$.next(VM.uuid);
    devices$.next('of another domain');
    asked.length = 0;
    clock.frame = 60_000;
    await collect(VM);
    expect(asked).toEqual(['xml', 'job g', 'vda', 'sdb']);
  });

  it('start anew with a run, and with a connection', async () => {
    const { lifecycle$, link$, connection, change$, news, collect } = stage();
    await collect(VM);
    change$.next({ kind: 'ioError', uuid: VM.uuid });
    expect(valuesOf(await collect(VM))['io.errors']).toBe('1');
    expect(valuesOf(await collect({ ...VM, id: 8 }))['io.errors']).toBe('0');
    change$.next({ kind: 'ioError', uuid: VM.uuid });
    lifecycle$.next({ kind: 'gone', uuid: VM.uuid });
    const count = news.length;
    change$.next({ kind: 'resumed', uuid: VM.uuid });
    expect(news).toHaveLength(count);
    expect(valuesOf(await collect({ ...VM, id: 8 }))['io.errors']).toBe('0');
    change$.next({ kind: 'ioError', uuid: VM.uuid });
    link$.next({ up: false, reason: 'away' });
    expect(await collect(VM)).toEqual([]);
    link$.next({ up: true, connection });
    expect(valuesOf(await collect({ ...VM, id: 8 }))['io.errors']).toBe('0');
  });

  it('include what was reported of a domain before its start', async () => {
    const { change$, news, collect } = stage();
    change$.next({ kind: 'jobEnded', uuid: VM.uuid });
    change$.next({ kind: 'ioError', uuid: VM.uuid });
    expect(news).toEqual([]);
    expect(valuesOf(await collect(VM))).toEqual({ ...QUIET, 'io.errors': '1' });
  });

  it('are none of a domain that has ended, and survive a refused question about a disk', async () => {
    const gone$ = throwError(() => new LibvirtError('gone', NO_DOMAIN));
    expect(await stage({ job$: () => gone$ }).collect(VM)).toEqual([]);
    expect(await stage({ xml$: () => gone$ }).collect(VM)).toEqual([]);
    expect(valuesOf(await stage({ blockJob$: () => gone$ }).collect(VM))).toEqual(QUIET);
  });

  it('have an outcome where the driver knows no jobs, so that nobody waits for them', async () => {
    // virterror.h: VIR_ERR_NO_SUPPORT
    const refused$ = throwError(() => new LibvirtError('not supported', 3));
    const found = valuesOf(await stage({ job$: () => refused$ }).collect(VM));
    expect(Object.keys(found)).toEqual(Object.keys(QUIET));
    expect(new Set(Object.values(found))).toEqual(new Set(['not supported']));
  });

  it('ask about two domains at a time, and do not wait for one that hangs to give those that are known', async () => {
    const { asked, collect } = stage({ stats$: () => NEVER });
    const domains = ['a', 'b', 'c'].map((name, at) => domain(name, at));
    void collect(...domains);
    expect(asked.filter((what) => what.startsWith('job'))).toEqual(['job a', 'job b']);
  });

  it('collect nothing if no metric wants them', () => {
    expect(activityCollectors([statMetric('cpu.time')], NEVER, new VirtualTimeScheduler())).toEqual([]);
  });
});
