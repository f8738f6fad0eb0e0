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

  it('are those that events have told while libvirt gives no answer about one domain, and do not wait for it', async () => {
    const hangs$ = new Subject<undefined>();
    let frozen: string | undefined;
    const { clock, asked, change$, news, collect } = stage({
      job$: ({ name }) => {
        asked.push(`job ${name}`);
        return name === frozen ? hangs$ : of(undefined);
      },
    });
    const [a, b, fresh] = ['a', 'b', 'fresh'].map((name, at) => domain(name, at)) as [Domain, Domain, Domain];
    await collect(a, b);
    frozen = 'a';
    asked.length = 0;
    clock.frame = 60_000;
    const collected = collect(a, b, fresh);
    clock.flush();
    const known = (await collected).map((reading) => reading.domain?.name);
    expect(new Set(known)).toEqual(new Set(['a', 'b']));
    expect(asked).toEqual(['job a']);
    change$.next({ kind: 'paused', reason: 'user', uuid: b.uuid });
    expect(news.at(-1)).toMatchObject({ 'paused.reason': 'user' });
    expect(asked).toEqual(['job a']);
    // The others are asked about as soon as the answer is there, the frozen one a minute later.
    hangs$.next(undefined);
    hangs$.complete();
    await collect(a, b, fresh);
    expect(asked.filter((what) => what.startsWith('job'))).toEqual(['job a', 'job b', 'job fresh']);
  });

  it('are those that events have told while another call holds the domain, and are asked for when it has ended', async () => {
    let held = false;
    const { clock, asked, change$, news, collect } = stage({ isHeld$: () => (asked.push('held'), of(held)) });
    await collect(VM);
    held = true;
    asked.length = 0;
    change$.next({ kind: 'paused', reason: 'user', uuid: VM.uuid });
    clock.flush();
    expect(asked).toEqual(Array.from({ length: 7 }, () => 'held'));
    expect(clock.frame).toBe(20 + 40 + 80 + 160 + 320 + 640);
    expect(news).toMatchObject([{ 'paused.reason': 'user' }, { 'paused.reason': 'user' }]);
    asked.length = 0;
    change$.next({ kind: 'paused', reason: 'ioerror', uuid: VM.uuid });
    held = false;
    clock.flush();
    expect(asked).toEqual(['held', 'held', 'job g', 'vda', 'sdb']);
  });

  it('of others are asked for while another call holds one domain', async () => {
    const { clock, asked, collect } = stage({ isHeld$: ({ name }) => of(name === 'a') });
    const collected = collect(domain('a', 0), domain('b', 1));
    expect(asked).toContain('job b');
    clock.flush();
    expect(new Set((await collected).map((reading) => reading.domain?.name))).toEqual(new Set(['b']));
  });

  it('are asked for where the driver does not know what holds a domain', async () => {
    // virterror.h: VIR_ERR_NO_SUPPORT
    expect(valuesOf(await stage({ isHeld$: () => throwError(() => new LibvirtError('no', 3)) }).collect(VM))).toEqual(
      QUIET,
    );
    const gone$ = throwError(() => new LibvirtError('gone', NO_DOMAIN));
    expect(await stage({ isHeld$: () => gone$ }).collect(VM)).toEqual([]);
  });

  it('ask about one disk after the other, up to one with a job', async () => {
    const { asked, collect } = stage({ blockJob$: (_, disk) => (asked.push(disk), NEVER) });
    void collect(VM);
    expect(asked).toEqual(['xml', 'job g', 'vda']);
    const other = stage();
    other.answers.disks = { vda: { job: 'blockpull' } };
    expect(valuesOf(await other.collect(VM))).toMatchObject({ job: 'blockpull' });
    expect(other.asked).toEqual(['xml', 'job g', 'vda']);
  });

  it('leave out the answer about a run that has ended', async () => {
    const answer$ = new Subject<Job>();
    const { collect, answers, asked } = stage({ job$: () => (asked.length > 1 ? of(answers.job) : answer$) });
    const first = collect(VM);
    const second = collect({ ...VM, id: 8 });
    answer$.next({ job: 'migration' });
    answer$.complete();
    expect(await first).toEqual([]);
    expect(valuesOf(await second)).toEqual(QUIET);
  });

  it('collect nothing if no metric wants them', () => {
    expect(activityCollectors([statMetric('cpu.time')], NEVER, new VirtualTimeScheduler())).toEqual([]);
  });
});
