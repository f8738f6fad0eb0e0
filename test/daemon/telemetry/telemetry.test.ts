import { defer, EMPTY, from, NEVER, of, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Config } from '../../../src/config/config.ts';
import { ownFamilies } from '../../../src/daemon/telemetry/prometheus-families.ts';
import { createTelemetry } from '../../../src/daemon/telemetry/telemetry.ts';
import { missingMetrics } from '../../../src/daemon/telemetry/missing-metrics.ts';
import { processView } from '../../../src/daemon/telemetry/process-usage.ts';
import type { Domain, MetricDefinition, Outcome, MissingValue, Reading } from '../../../src/model/metric.ts';
import { familiesText } from '../../../src/sinks/prometheus/exposition.ts';
import type { SinkReport } from '../../../src/sinks/sink.ts';
import type { Connection } from '../../../src/sources/libvirt/types.ts';
import type { Sources } from '../../../src/sources/source.ts';
import { ofDomain, snapshot } from '../../../src/testing/snapshots.ts';

const metric = (name: string, context: 'host' | 'vm' = 'host'): MetricDefinition => ({
  index: 0,
  name,
  type: 'uint64',
  context,
  source: { kind: 'action', command: '' },
  variables: [],
  every: 1,
  timeout: 1000,
  place: { file: 'f', line: 1, column: 1 },
});
const ok: Outcome = { ok: true, samples: [] };
const bad = (stage: 'start' | 'run' | 'output' | 'stat'): Outcome => ({ ok: false, stage, reason: 'no' });
const config = (...metrics: readonly MetricDefinition[]): Config =>
  ({ updatePeriod: 5000, metrics }) as unknown as Config;
const sink = (key: string, name = key) => ({ key, name });

const clock = () => {
  const scheduler = { at: 0, now: () => scheduler.at, schedule: () => ({}) as never };
  return scheduler;
};
const setup = () => {
  const scheduler = clock();
  const telemetry = createTelemetry(scheduler);
  return {
    telemetry,
    at: (ms: number): void => {
      scheduler.at = ms;
    },
    /** Returns the lines of the figures that match. */
    lines: async (pattern: RegExp): Promise<readonly string[]> =>
      (await familiesText(ownFamilies(telemetry.view(), processView(), '1')))
        .split('\n')
        .filter((line) => !line.startsWith('#') && pattern.test(line)),
  };
};
const sources = (over: Partial<Sources>): Sources => ({
  tick$: NEVER,
  domain$: NEVER,
  isFromLibvirt: () => false,
  hostStats$: () => EMPTY,
  domainCollectors: [],
  action$: () => EMPTY,
  ...over,
});
const written = (value = snapshot(1)): SinkReport => ({
  kind: 'written',
  snapshot: value,
  message: 'm',
  bytes: 7,
  leftOut: 2,
});

describe('the figures of the sources', () => {
  it('count ticks and skipped points of the grid, for each pipeline anew', async () => {
    const { telemetry, lines, at } = setup();
    at(77);
    const { tick$ } = telemetry.watched(sources({ tick$: from([0, 1, 4]) }));
    tick$.subscribe();
    tick$.subscribe();
    expect(await lines(/ticks_total/)).toEqual(['vhostmd_ticks_total 6', 'vhostmd_skipped_ticks_total 4']);
    expect(telemetry.view().skipped).toEqual({ count: 4, lastAt: 77 });
  });

  it('count outcomes by metric and failed stage, from all three kinds of sources', async () => {
    const { telemetry, lines } = setup();
    const [host, vm, action] = [metric('H'), metric('V', 'vm'), metric('A')];
    const domain: Domain = { uuid: 'u', id: 1, name: 'n' };
    const readings: readonly Reading[] = [
      { metric: vm, domain, outcome: ok },
      { metric: vm, domain, outcome: bad('stat') },
    ];
    const watched = telemetry.watched(
      sources({
        isFromLibvirt: () => false,
        hostStats$: () => of([{ metric: host, outcome: ok }]),
        domainCollectors: [{ metrics: [vm], collect$: () => of(readings) }],
        action$: () => of(bad('run')),
      }),
    );
    watched.hostStats$([host]).subscribe();
    watched.domainCollectors[0]?.collect$([domain]).subscribe();
    for (let count = 0; count < 3; count += 1) watched.action$({ metric: action, late: false }).subscribe();
    expect(await lines(/outcomes_total.* [^0]/)).toEqual([
      'vhostmd_outcomes_total{context="host",metric="H",outcome="ok"} 1',
      'vhostmd_outcomes_total{context="vm",metric="V",outcome="ok"} 1',
      'vhostmd_outcomes_total{context="vm",metric="V",outcome="stat"} 1',
      'vhostmd_outcomes_total{context="host",metric="A",outcome="run"} 3',
    ]);
  });

  it('have the durations of each part in cumulative buckets, without cancelled parts', async () => {
    const { telemetry, lines, at } = setup();
    const took = (ms: number): Observable<readonly Reading[]> =>
      defer(() => {
        at(ms);
        return EMPTY;
      });
    const watch = (source$: Observable<readonly Reading[]>): Observable<unknown> =>
      telemetry.watched(sources({ isFromLibvirt: () => false, hostStats$: () => source$ })).hostStats$([]);
    for (const ms of [3, 30, 30_000]) {
      at(0);
      watch(took(ms)).subscribe();
    }
    watch(NEVER).subscribe().unsubscribe();
    const found = (await lines(/stage="host_stats"/)).map((line) => line.replace('vhostmd_stage_duration_seconds', ''));
    expect(found).toContain('_bucket{stage="host_stats",le="0.002"} 0');
    expect(found).toContain('_bucket{stage="host_stats",le="0.005"} 1');
    expect(found).toContain('_bucket{stage="host_stats",le="0.05"} 2');
    expect(found).toContain('_bucket{stage="host_stats",le="5"} 2');
    expect(found.slice(-3)).toEqual([
      '_bucket{stage="host_stats",le="+Inf"} 3',
      '_sum{stage="host_stats"} 30.033',
      '_count{stage="host_stats"} 3',
    ]);
  });

  it('leave the answers of the sources unchanged', async () => {
    const { telemetry } = setup();
    const seen: unknown[] = [];
    const readings: readonly Reading[] = [{ metric: metric('A'), outcome: ok }];
    const VMS = [{ uuid: 'u', id: 1, name: 'n' }];
    telemetry
      .watched(
        sources({
          isFromLibvirt: () => false,
          hostStats$: (_metrics, running) => {
            seen.push(running);
            return of(readings);
          },
        }),
      )
      .hostStats$([], VMS)
      .subscribe((value) => seen.push(value));
    expect(seen[0]).toBe(VMS);
    expect(seen[1]).toBe(readings);
  });
});

describe('the figures of the sinks', () => {
  it('have the latency since the cause, by cause and sink, and the duration of the write', async () => {
    const { telemetry, lines, at } = setup();
    const both = { config: config(), sinks: [sink('a'), sink('b')] };
    const change = { ...snapshot(1), cause: 'change' as const, at: 1000 };
    at(1004);
    telemetry.published(both, change);
    at(1006);
    telemetry.reported({ sink: sink('a'), report: written(change) });
    expect(await lines(/sink_latency_seconds_(sum|count)/)).toEqual([
      'vhostmd_sink_latency_seconds_sum{sink="a",cause="tick"} 0',
      'vhostmd_sink_latency_seconds_count{sink="a",cause="tick"} 0',
      'vhostmd_sink_latency_seconds_sum{sink="a",cause="change"} 0.006',
      'vhostmd_sink_latency_seconds_count{sink="a",cause="change"} 1',
      'vhostmd_sink_latency_seconds_sum{sink="b",cause="tick"} 0',
      'vhostmd_sink_latency_seconds_count{sink="b",cause="tick"} 0',
      'vhostmd_sink_latency_seconds_sum{sink="b",cause="change"} 0',
      'vhostmd_sink_latency_seconds_count{sink="b",cause="change"} 0',
    ]);
    expect(await lines(/sink_write_duration_seconds_sum/)).toEqual([
      'vhostmd_sink_write_duration_seconds_sum{sink="a"} 0.002',
      'vhostmd_sink_write_duration_seconds_sum{sink="b"} 0',
    ]);
    expect(await lines(/stage_duration_seconds_sum.*publish/)).toEqual([
      'vhostmd_stage_duration_seconds_sum{stage="publish"} 0.004',
    ]);
    at(3000);
    expect(await lines(/lag|written_bytes|left_out|sink_writes/)).toEqual([
      'vhostmd_sink_writes_total{sink="a"} 1',
      'vhostmd_sink_writes_total{sink="b"} 0',
      'vhostmd_sink_written_bytes{sink="a"} 7',
      'vhostmd_sink_left_out_metrics{sink="a"} 2',
      'vhostmd_sink_lag_seconds{sink="a"} 2',
    ]);
  });

  it('have the time since which a sink fails, over several messages, until it writes', async () => {
    const { telemetry, lines, at } = setup();
    telemetry.published({ config: config(), sinks: [sink('a')] }, snapshot(1));
    const fails = (stage: 'open' | 'write', message: string): void =>
      telemetry.reported({ sink: sink('a'), report: { kind: 'failed', stage, message } });
    at(100);
    fails('write', 'one');
    at(200);
    fails('write', 'two');
    expect(telemetry.view().sinks[0]?.failing).toEqual({ since: 100, stage: 'write', message: 'two' });
    expect(await lines(/sink_fail/)).toEqual([
      'vhostmd_sink_failures_total{sink="a",stage="open"} 0',
      'vhostmd_sink_failures_total{sink="a",stage="write"} 2',
      'vhostmd_sink_failing{sink="a"} 1',
    ]);
    telemetry.reported({ sink: sink('a'), report: { kind: 'opened', message: '' } });
    expect(telemetry.view().sinks[0]?.failing).toBeDefined();
    telemetry.reported({ sink: sink('a'), report: written() });
    expect(telemetry.view().sinks[0]?.failing).toBeUndefined();
    fails('open', 'three');
    telemetry.reported({ sink: sink('a'), report: { kind: 'opened', message: '' } });
    expect(telemetry.view().sinks[0]?.failing).toBeUndefined();
  });

  it('have the time since which a sink waits: of the first snapshot that it has not written', async () => {
    const { telemetry, at } = setup();
    const both = { config: config(), sinks: [sink('a')] };
    const waiting = (): number | undefined => telemetry.view().sinks[0]?.waiting;
    const [first, second, third] = [snapshot(1), snapshot(2), snapshot(3)];
    at(10);
    telemetry.published(both, first);
    at(20);
    telemetry.published(both, second);
    expect(waiting()).toBe(10);
    at(30);
    telemetry.reported({ sink: sink('a'), report: written(first) });
    expect(waiting()).toBe(20);
    at(40);
    telemetry.published(both, third);
    expect(waiting()).toBe(20);
    telemetry.reported({ sink: sink('a'), report: written(third) });
    expect(waiting()).toBeUndefined();
  });

  it('distinguish sinks of one name, also after a reload, and drop removed ones', async () => {
    const { telemetry, lines } = setup();
    const names = (): readonly string[] => telemetry.view().sinks.map(({ name }) => name);
    telemetry.published({ config: config(), sinks: [sink('1', 'log'), sink('2', 'log')] }, snapshot(1));
    expect(names()).toEqual(['log', 'log 2']);
    telemetry.reported({ sink: sink('2', 'log'), report: written() });
    telemetry.published({ config: config(), sinks: [sink('2', 'log'), sink('3', 'log')] }, snapshot(2));
    expect(await lines(/sink_writes/)).toEqual([
      'vhostmd_sink_writes_total{sink="log"} 1',
      'vhostmd_sink_writes_total{sink="log 2"} 0',
    ]);
    // A late report of a removed sink.
    telemetry.reported({ sink: sink('1', 'log'), report: written() });
    expect(names()).toEqual(['log', 'log 2']);
  });

  it('drop metrics that are no longer configured', async () => {
    const { telemetry, lines } = setup();
    const [a, b] = [metric('A'), metric('B')];
    const watched = telemetry.watched(sources({ action$: () => of(ok) }));
    for (const one of [a, b]) watched.action$({ metric: one, late: false }).subscribe();
    telemetry.published({ config: config(b), sinks: [] }, snapshot(1));
    expect(await lines(/outcomes_total.*"ok"/)).toEqual([
      'vhostmd_outcomes_total{context="host",metric="B",outcome="ok"} 1',
    ]);
  });
});

describe('the figures of the link to libvirt', () => {
  const up = { up: true, connection: { product: 'QEMU 9' } as unknown as Connection } as const;
  it('have the time and the reason of its loss, and the number of its returns', async () => {
    const { telemetry, lines, at } = setup();
    expect(await lines(/libvirt/)).toEqual(['vhostmd_libvirt_up 0', 'vhostmd_libvirt_reconnects_total 0']);
    telemetry.linked({ up: false, reason: 'not there' });
    telemetry.linked(up);
    expect(await lines(/libvirt/)).toEqual(['vhostmd_libvirt_up 1', 'vhostmd_libvirt_reconnects_total 0']);
    at(100);
    telemetry.linked({ up: false, reason: 'lost' });
    at(200);
    telemetry.linked({ up: false, reason: 'refused' });
    expect(telemetry.view().libvirt).toEqual({ up: false, since: 100, reason: 'refused' });
    telemetry.linked(up);
    // Another pipeline's connection, after a reload.
    telemetry.linked(up);
    expect(await lines(/libvirt/)).toEqual(['vhostmd_libvirt_up 1', 'vhostmd_libvirt_reconnects_total 1']);
  });
});

describe('values that are missing', () => {
  it('are counted by metric, with the reason and the names of the first three', async () => {
    const missing = [
      { metric: metric('A'), stage: 'run', reason: 'one' },
      ...[1, 2, 3, 4].map((id) => ({
        metric: metric('A', 'vm'),
        domain: ofDomain(id).domain,
        stage: 'run',
        reason: `r${id}`,
      })),
    ] as readonly MissingValue[];
    expect(missingMetrics(missing)).toEqual([
      { metric: 'A', context: 'host', count: 1, reason: 'one', domains: [] },
      { metric: 'A', context: 'vm', count: 4, reason: 'r1', domains: ['vm1', 'vm2', 'vm3'] },
    ]);
  });
});

describe("the daemon's own names", () => {
  it('differ from those of host and VMs, and each exists once', async () => {
    const { telemetry } = setup();
    const names = ownFamilies(telemetry.view(), processView(), '1').map(({ name }) => name);
    expect(names.filter((name) => /^vhostmd_(host|vm)_/.test(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('distinguish counters, histograms and gauges', () => {
    const { telemetry } = setup();
    const families = ownFamilies(telemetry.view(), processView(), '1');
    const namesOf = (kind: string) => families.filter(({ type }) => type === kind).map(({ name }) => name);
    expect(namesOf('counter')).toEqual([
      'process_cpu_seconds_total',
      'vhostmd_ticks_total',
      'vhostmd_skipped_ticks_total',
      'vhostmd_snapshots_total',
      'vhostmd_outcomes_total',
      'vhostmd_sink_writes_total',
      'vhostmd_sink_failures_total',
      'vhostmd_sink_warnings_total',
      'vhostmd_libvirt_reconnects_total',
    ]);
    expect(namesOf('histogram')).toEqual([
      'vhostmd_stage_duration_seconds',
      'vhostmd_sink_write_duration_seconds',
      'vhostmd_sink_latency_seconds',
    ]);
    expect(namesOf('gauge')).toHaveLength(families.length - 12);
  });

  it('have the figures of this process in /proc', async () => {
    const { residentBytes, descriptors, cpu, startTime } = processView();
    expect(residentBytes).toBeGreaterThan(10e6);
    expect(descriptors).toBe(processView().descriptors);
    expect(cpu).toBeGreaterThan(0);
    expect(Math.abs(startTime - (Date.now() / 1000 - process.uptime()))).toBeLessThan(2);
  });
});
