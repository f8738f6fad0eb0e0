import { Subject, VirtualTimeScheduler } from 'rxjs';
import { expect, it } from 'vitest';

import type { DaemonEvent, Reload, Setup } from '../../src/daemon/events.ts';
import { createTelemetry, observe } from '../../src/daemon/telemetry/telemetry.ts';
import type { Snapshot } from '../../src/model/metric.ts';
import { type ServiceNotification, service$ } from '../../src/daemon/service-manager.ts';
import type { ConfiguredSink } from '../../src/sinks/index.ts';
import type { SinkReport } from '../../src/sinks/sink.ts';
import { ofDomain } from '../../src/testing/snapshots.ts';

const sink = (key: string, required = true): ConfiguredSink => ({ name: key, key, required, run: () => new Subject() });
const setupOf = (period: number, ...sinks: readonly ConfiguredSink[]): Setup =>
  ({ config: { updatePeriod: period, metrics: [] }, sinks }) as unknown as Setup;

/** Runs the daemon's figures and streams in virtual time; each notification in `told` starts with its second. */
const service = (setup: Setup, watchdogInterval?: number) => {
  const time = new VirtualTimeScheduler();
  const telemetry = createTelemetry(time);
  const event$ = new Subject<DaemonEvent>();
  const count = observe(telemetry);
  const emit = (event: DaemonEvent): void => {
    count(event);
    event$.next(event);
  };
  const told: string[] = [];
  let tick = 0;
  const tell = (notice: ServiceNotification): void => {
    told.push(`${time.now() / 1000} ${notice.kind}${'text' in notice ? ` ${notice.text}` : ''}`);
  };
  const wallClock = (): number => Date.UTC(2030, 0, 1) + time.now();
  service$({ setup, event$, view: telemetry.view, watchdogInterval, wallClock, scheduler: time }).subscribe(tell);
  const at = (seconds: number, work: () => void): void => void time.schedule(work, seconds * 1000);
  const report = (from: ConfiguredSink, said: SinkReport): void => {
    emit({ kind: 'report', sink: from, report: said });
  };
  const publishWith = (over: Partial<Snapshot>, of: Setup, ...writing: readonly ConfiguredSink[]): void => {
    const { metrics } = of.config;
    const bare: Snapshot = { cause: 'tick', tick, at: time.now(), host: [], domainMetrics: [], missing: [], metrics };
    const snapshot = { ...bare, ...over };
    tick += 1;
    emit({ kind: 'published', setup: of, snapshot });
    for (const one of writing) report(one, { kind: 'written', snapshot, message: 'Written' });
  };
  return {
    told,
    at,
    publish: (of: Setup, ...writing: readonly ConfiguredSink[]): void => publishWith({}, of, ...writing),
    publishWith,
    report,
    reload: (reload: Reload) => emit({ kind: 'reload', reload }),
    linked: telemetry.linked,
    until: (seconds: number): void => {
      time.maxFrames = seconds * 1000;
      time.flush();
    },
    of: (kind: ServiceNotification['kind']) => told.filter((line) => line.split(' ')[1] === kind),
  };
};
const failed: SinkReport = { kind: 'failed', stage: 'write', message: 'No space left' };

it('a sign of life comes once in an interval while ticks are published and written', () => {
  const disk = sink('disk');
  const setup = setupOf(5000, disk);
  const { at, publish, until, of } = service(setup, 15_000);
  for (let second = 0; second <= 60; second += 5) at(second, () => publish(setup, disk));
  until(59);
  expect(of('watchdog')).toEqual(['0 watchdog', '15 watchdog', '30 watchdog', '45 watchdog']);
  expect(of('stuck')).toEqual([]);
});

it('none comes when ticks end, which is logged once', () => {
  const disk = sink('disk');
  const setup = setupOf(5000, disk);
  const { at, publish, until, of } = service(setup, 4000);
  for (let second = 0; second <= 10; second += 5) at(second, () => publish(setup, disk));
  until(120);
  expect(of('stuck')).toEqual([expect.stringContaining('Stuck, no tick has been published for more than two periods')]);
  expect(Number(of('watchdog').at(-1)?.split(' ')[0])).toBeLessThanOrEqual(26);
});

it('none comes when a required sink hangs, another may', () => {
  const [disk, other] = [sink('disk'), sink('other', false)];
  const setup = setupOf(1000, disk, other);
  const { at, publish, until, of } = service(setup, 4000);
  for (let second = 0; second <= 60; second += 1) at(second, () => publish(setup, ...(second < 30 ? [disk] : [])));
  until(60);
  expect(of('stuck')).toEqual([expect.stringContaining('a sink has reported nothing')]);
  expect(Number(of('stuck')[0]?.split(' ')[0])).toBeGreaterThan(30);
});

it('a required sink that fails is no reason for a restart', () => {
  const disk = sink('disk');
  const setup = setupOf(1000, disk);
  const { at, publish, report, until, of } = service(setup, 4000);
  for (let second = 0; second <= 60; second += 1) at(second, () => publish(setup));
  at(1, () => report(disk, failed));
  until(60);
  expect(of('stuck')).toEqual([]);
  expect(of('watchdog').length).toBeGreaterThan(12);
});

it('a period longer than the interval is no reason for a restart', () => {
  const disk = sink('disk');
  const setup = setupOf(60_000, disk);
  const { at, publish, until, of } = service(setup, 15_000);
  for (let second = 0; second <= 600; second += 60) at(second, () => publish(setup, disk));
  until(600);
  expect(of('stuck')).toEqual([]);
  expect(of('watchdog').length).toBeGreaterThan(34);
});

it('without a watchdog there is no sign of life', () => {
  const disk = sink('disk');
  const setup = setupOf(1000, disk);
  const { at, publish, until, told } = service(setup);
  for (let second = 0; second <= 60; second += 1) at(second, () => publish(setup, disk));
  until(60);
  expect(told).toEqual(['0 status 0 host metrics, 0 VMs']);
});

it('a reload is done when all required sinks have a snapshot of the new configuration, or have failed', () => {
  const [disk, kept] = [sink('disk'), sink('kept')];
  const first = setupOf(1000, kept);
  const next = setupOf(1000, kept, disk);
  const { at, publish, report, reload, until, told } = service(first);
  at(1, () => publish(first, kept));
  at(2, () => reload({ kind: 'loading' }));
  at(3, () => reload({ kind: 'loaded', setup: next }));
  at(4, () => publish(first, kept));
  at(5, () => publish(next, kept));
  at(6.5, () => report(disk, { kind: 'failed', stage: 'open', message: 'Refused' }));
  until(10);
  expect(told).toEqual([
    '1 status 0 host metrics, 0 VMs',
    '2 reloading',
    '6.5 status 0 host metrics, 0 VMs; sink disk fails: Refused',
    '6.5 ready',
  ]);
});

it('a snapshot of the former configuration does not end a reload', () => {
  const [disk, kept] = [sink('disk'), sink('kept')];
  const first = setupOf(1000, kept, disk);
  const next = setupOf(1000, kept, disk);
  const { at, publish, report, reload, until, of } = service(first);
  at(1, () => publish(first, kept, disk));
  at(2, () => reload({ kind: 'loaded', setup: next }));
  at(3, () => publish(first, kept, disk));
  at(4, () => publish(next, disk));
  at(5, () => report(disk, failed));
  at(6, () => publish(next, kept));
  until(10);
  expect(of('ready')).toEqual(['6 ready']);
});

it('where all sinks fail a reload is done when the new configuration has published', () => {
  const disk = sink('disk');
  const first = setupOf(1000, disk);
  const next = setupOf(1000, disk);
  const { at, publish, report, reload, until, of } = service(first);
  at(1, () => publish(first));
  at(2, () => reload({ kind: 'loaded', setup: next }));
  at(3, () => report(disk, failed));
  at(4, () => publish(next));
  at(5, () => report(disk, failed));
  until(10);
  expect(of('ready')).toEqual(['5 ready']);
});

it('FAULTS 50: a reload that is refused is over at once, and the status says why until a good one', () => {
  const disk = sink('disk');
  const setup = setupOf(1000, disk);
  const next = setupOf(1000, disk);
  const { at, publish, reload, until, told } = service(setup);
  at(1, () => publish(setup, disk));
  at(2, () => reload({ kind: 'loading' }));
  at(2.5, () => reload({ kind: 'refused', reason: 'x.conf:3:4: Unknown' }));
  at(4, () => reload({ kind: 'loaded', setup: next }));
  at(5, () => publish(next, disk));
  until(10);
  expect(told).toEqual([
    '1 status 0 host metrics, 0 VMs',
    '2 reloading',
    '2.5 status 0 host metrics, 0 VMs; not reloaded, the former configuration is in force: x.conf:3:4: Unknown',
    '2.5 ready',
    '5 status 0 host metrics, 0 VMs',
    '5 ready',
  ]);
});

it('CASE E4: the status says how many VMs have values, and that they are from before while libvirt is away', () => {
  const disk = sink('disk');
  const metrics = [{ context: 'vm' }] as unknown as Snapshot['metrics'] & object;
  const setup = { config: { updatePeriod: 1000, metrics }, sinks: [disk] } as unknown as Setup;
  const domains = [1, 2, 3].map((id) => ({ uuid: String(id), name: 'x', id, persistent: false }));
  const { at, publishWith, linked, until, told } = service(setup);
  at(1, () => publishWith({ domainMetrics: [ofDomain(1), ofDomain(2), ofDomain(3)], domains }, setup, disk));
  at(2.5, () => linked({ up: false, reason: 'refused' }));
  at(3, () => publishWith({ domainMetrics: [ofDomain(1), ofDomain(2), ofDomain(3)], domains }, setup, disk));
  at(5, () => publishWith({ domainMetrics: [], domains }, setup, disk));
  until(10);
  const away = 'libvirt away since 2030-01-01T00:00:02Z: refused';
  expect(told).toEqual([
    '1 status 0 host metrics, 3 VMs',
    `3 status 0 host metrics, 3 VMs with values from before; ${away}`,
    `5 status 0 host metrics, 0 of 3 VMs with values; ${away}`,
  ]);
});

it('the status says since when libvirt is away, does not change by itself, and changes once a second at most', () => {
  const disk = sink('disk');
  const setup = setupOf(100, disk);
  const { at, publish, report, linked, until, told } = service(setup);
  at(1.9, () => linked({ up: false, reason: 'refused' }));
  for (let second = 2; second <= 9; second += 0.1) at(second, () => publish(setup, disk));
  at(4.15, () => report(disk, failed));
  until(10);
  const away = '0 host metrics, 0 VMs; libvirt away since 2030-01-01T00:00:01Z: refused';
  expect(told).toEqual([`2 status ${away}`]);
});
