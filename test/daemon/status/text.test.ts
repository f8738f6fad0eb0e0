import { describe, expect, it } from 'vitest';

import type { TelemetryView, NamedSink } from '../../../src/daemon/telemetry/telemetry.ts';
import { EMPTY_HISTOGRAM } from '../../../src/daemon/telemetry/histogram.ts';
import type { MetricDefinition, MissingValue, Snapshot } from '../../../src/model/metric.ts';
import { type Status, statusOf } from '../../../src/daemon/status/status.ts';
import { asciiJson, statusLines } from '../../../src/daemon/status/text.ts';
import { duration } from '../../../src/model/duration.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';

const none = EMPTY_HISTOGRAM;
const NOW = 100_000;
const PERIOD = 5000;

const newest = (over: Partial<Snapshot> = {}): Snapshot => ({
  ...snapshot(3, [sample('A', 'a')], [ofDomain(1, sample('B', 'b')), ofDomain(2, sample('B', 'b'))]),
  at: NOW - 400,
  ...over,
});
const sink = (over: Partial<NamedSink> = {}): NamedSink => ({
  name: 'metrics disk',
  writes: 4,
  failures: { open: 0, write: 0 },
  warnings: 0,
  last: { at: NOW - 390, of: NOW - 400, message: '/d: 1 host metric', bytes: 100, leftOut: 0 },
  write: none,
  latency: { tick: none, change: none },
  ...over,
});
const view = (over: Partial<TelemetryView> = {}): TelemetryView => ({
  now: NOW,
  period: PERIOD,
  ticks: 4,
  skipped: { count: 0 },
  snapshots: { tick: 4, change: 0 },
  newest: { snapshot: newest(), at: NOW - 395 },
  stages: { host_stats: none, domain_stats: none, action: none, publish: none },
  outcomes: () => [],
  sinks: [sink()],
  libvirt: { up: true, since: 0, product: 'QEMU 9.0.0' },
  reconnects: 0,
  ...over,
});
const status = (over: Partial<TelemetryView> = {}, notReloaded?: { at: number; message: string }): Status =>
  statusOf(
    view({ ...over, ...(notReloaded === undefined ? {} : { notReloaded }) }),
    { version: '1.2.3', pid: 42, file: '/etc/vhostmd.conf' },
    { startTime: Math.round(Date.now() / 1000) - 100, cpu: 1, residentBytes: 1, descriptors: 1 },
  );
/** Returns the lines after the first, which must start with "Not well". */
const troubles = (...args: Parameters<typeof status>): readonly string[] => {
  const [first = '', ...more] = statusLines(status(...args));
  expect(first).toMatch(/^Not well: /);
  return more;
};
const problem = (name: string, reason: string, domain?: number, domainName = `vm${domain}`): MissingValue => ({
  metric: { name, context: domain === undefined ? 'host' : 'vm' } as MetricDefinition,
  ...(domain === undefined ? {} : { domain: { ...ofDomain(domain).domain, name: domainName } }),
  stage: 'run',
  reason,
});
const missing = (...missing: readonly MissingValue[]): Partial<TelemetryView> => ({
  newest: { snapshot: newest({ missing }), at: NOW - 395 },
});

describe('the status of a daemon', () => {
  it('that is well says so first, then what each sink and libvirt do', () => {
    const well = status();
    expect(well.well).toBe(true);
    expect(statusLines(well)).toEqual([
      'Well: 2 VMs, snapshot 0.4 s old, up 1 min 40 s (vhostmd 1.2.3, process 42)',
      '  metrics disk: 0.4 s ago, /d: 1 host metric',
      '  libvirt: connected to QEMU 9.0.0',
    ]);
  });

  it('names the sink that fails, since when and why', () => {
    const failing = { since: NOW - 12_000, stage: 'write', message: 'ENOSPC: no space left on device' } as const;
    expect(troubles({ sinks: [sink(), sink({ name: 'b', failing, waiting: NOW - 50_000 })] })).toEqual([
      '  sink "b" fails for 12 s: ENOSPC: no space left on device',
    ]);
  });

  it('CASE E5: is not well while a sink does not reach what it is for, although it works', () => {
    const trouble =
      'the channel of domain "a", "/c", may not be used by user v; usermod --append --groups g v (EACCES)';
    const last = { at: NOW - 390, of: NOW - 400, message: '0 channels connected, 1 not', trouble };
    const channels = sink({ name: 'virtio-serial', last });
    expect(status({ sinks: [sink(), channels] }).well).toBe(false);
    expect(troubles({ sinks: [sink(), channels] })).toEqual([`  sink "virtio-serial": ${trouble}`]);
  });

  it('names the sink that hangs, after 3 periods', () => {
    expect(status({ sinks: [sink({ waiting: NOW - 3 * PERIOD + 1 })] }).well).toBe(true);
    expect(troubles({ sinks: [sink({ waiting: NOW - 3 * PERIOD })] })).toEqual([
      '  sink "metrics disk" has not written for 15 s',
    ]);
    expect(troubles({ sinks: [sink({ waiting: NOW - 20_000, writes: 0 })] })).toEqual([
      '  sink "metrics disk" has not written for 20 s, nor ever before',
    ]);
    expect(status({ period: 1000, sinks: [sink({ waiting: NOW - 2999 })] }).well).toBe(true);
    expect(status({ period: 1000, sinks: [sink({ waiting: NOW - 3000 })] }).well).toBe(false);
  });

  it('says that a disk is full', () => {
    const last = { at: NOW, of: NOW, message: '', leftOut: 7 };
    expect(troubles({ sinks: [sink({ last })] })).toEqual([
      '  sink "metrics disk" is full: 7 metrics do not fit; raise its <size>',
    ]);
  });

  it('says since when libvirt is away, and why', () => {
    expect(troubles({ libvirt: { up: false, since: NOW - 200_000, reason: 'Connection refused' } })).toEqual([
      '  libvirt is away for 3 min 20 s: Connection refused',
    ]);
  });

  it('counts the metrics without a value, and says for whom and why', () => {
    expect(
      troubles(
        missing(problem('Load', 'exited with status 3'), ...[1, 2, 3, 4, 5].map((id) => problem('X', 'killed', id))),
      ),
    ).toEqual([
      '  metric "Load" has no value: exited with status 3',
      '  metric "X" has no value for 5 VMs ("vm1", "vm2", "vm3" and 2 more): killed',
    ]);
    expect(troubles(missing(problem('X', 'killed', 1)))).toEqual([
      '  metric "X" has no value for 1 VM ("vm1"): killed',
    ]);
  });

  it('CASE B10: says how old values are that are kept although no new ones come', () => {
    const late = [problem('Load', '', undefined), problem('X', '', 1), problem('X', '', 2)];
    const snapshot = newest({
      tick: 20,
      late: late.map((of, at) => ({ ...of, tick: 10 + at })),
    });
    expect(troubles({ newest: { snapshot, at: NOW - 395 } })).toEqual([
      '  metric "Load" has a value that is 50 s old: its source does not answer in time',
      '  metric "X" has a value that is 45 s old for 2 VMs ("vm1", "vm2"): its source does not answer in time',
    ]);
  });

  it('speaks of skipped ticks for a minute or 10 periods', () => {
    expect(troubles({ skipped: { count: 3, lastAt: NOW - 30_000 } })).toEqual([
      '  3 ticks were skipped, the last 30 s ago: the process was stopped or got no processor',
    ]);
    expect(status({ skipped: { count: 3, lastAt: NOW - 60_000 } }).well).toBe(true);
    expect(status({ period: 60_000, skipped: { count: 3, lastAt: NOW - 90_000 } }).well).toBe(false);
  });

  it('says that a changed configuration is not in force', () => {
    expect(troubles({}, { at: NOW - 3000, message: '/etc/vhostmd.conf:3:1: wrong' })).toEqual([
      '  /etc/vhostmd.conf was not reloaded 3.0 s ago, the former configuration is in force: /etc/vhostmd.conf:3:1: wrong',
    ]);
  });

  it('is not well while nothing is collected', () => {
    const { newest: _newest, ...before } = view();
    const starting = statusOf(
      before,
      { version: '1', pid: 1, file: 'f' },
      { startTime: 0, cpu: 1, residentBytes: 1, descriptors: 1 },
    );
    expect(starting.troubles).toEqual([{ kind: 'collection', text: 'nothing has been collected yet' }]);
    expect(statusLines(starting)[0]).toMatch(/^Not well: no snapshot yet, up /);
    expect(troubles({ newest: { snapshot: newest(), at: NOW - 15_000 } })).toEqual([
      '  nothing has been collected for 15 s',
    ]);
  });

  it('has at most ten lines, whatever is wrong, the worst first', () => {
    const failing = { since: NOW, stage: 'open', message: 'no' } as const;
    const many = { sinks: Array.from({ length: 5 }, (_, at) => sink({ name: `s${at}`, failing })) };
    const lines = statusLines(
      status({ ...many, ...missing(...Array.from({ length: 50 }, (_, at) => problem(`M${at}`, 'no'))) }),
    );
    expect(lines).toHaveLength(10);
    expect(lines[1]).toContain('sink "s0" fails');
    expect(lines.at(-1)).toBe('  and 47 more, see vhostmd status --json');
    expect(statusLines(status({ sinks: Array.from({ length: 30 }, () => sink()) }))).toHaveLength(10);
  });

  it('gives each sink in JSON with its ages in seconds, and no key without a value', () => {
    const failing = { since: NOW - 2000, stage: 'write', message: 'No space' } as const;
    const warning = { at: NOW - 3000, message: 'slow' };
    const { last: _, ...unwritten } = sink({ name: 'new' });
    const counts = { writes: 4, failures: { open: 0, write: 0 }, warnings: 0, write: none, latency: sink().latency };
    const state = status({ sinks: [sink({ failing, warning, waiting: NOW - 500 }), unwritten] });
    expect((JSON.parse(asciiJson(state)) as Status).sinks).toStrictEqual([
      {
        ...counts,
        name: 'metrics disk',
        failing: { sinceSeconds: 2, stage: 'write', message: 'No space' },
        waitingSeconds: 0.5,
        lastWrite: { ageSeconds: 0.39, lagSeconds: 0.4, message: '/d: 1 host metric', bytes: 100, leftOut: 0 },
        lastWarning: { ageSeconds: 3, message: 'slow' },
      },
      { ...counts, name: 'new' },
    ]);
  });

  it('shows no control characters and no lines of guests and actions, also in JSON', () => {
    const hostile = 'a\u001b[2J\n  Well: \u202e\u009b31m"';
    const state = status({
      ...missing(problem(hostile, hostile, 1, hostile)),
      libvirt: { up: false, since: 0, reason: hostile },
      sinks: [sink({ name: hostile, failing: { since: 0, stage: 'open', message: hostile.repeat(100) } })],
    });
    const lines = statusLines(state);
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line).toMatch(/^[ -~]{1,500}$/);
    const json = asciiJson(state, 2);
    expect(json).toMatch(/^[\n -~]*$/);
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(state)));
  });
});

describe('a duration for people', () => {
  it.each([
    [-5, '0.0 s'],
    [449, '0.4 s'],
    [9949, '9.9 s'],
    [9950, '10 s'],
    [59_499, '59 s'],
    [59_999, '1 min'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h'],
    [90_000_000, '1 d 1 h'],
    [200_000_000, '2 d 7 h'],
  ])('of %d ms is %s', (ms, expected) => {
    expect(duration(ms)).toBe(expected);
  });
});
