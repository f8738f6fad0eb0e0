import { describe, expect, it } from 'vitest';

import { STATISTICS } from '../../src/model/statistics.ts';
import { causeOf } from '../../src/model/verdict.ts';
import { CAUSES } from '../../src/verdict/causes.ts';
import { EVIDENCE } from '../../src/verdict/evidence.ts';
import { judge, STATISTICS_NEEDED } from '../../src/verdict/judge.ts';

const SECOND = 1e9;
type Values = Readonly<Record<string, number>>;

/** Ten seconds of a VM with two virtual CPUs that runs half of the time, and that nothing slows down. */
const START: Values = {
  'contention.time': 0,
  'vcpu.current': 2,
  'cpu.time': 0,
  'promised.cpus.usable': 8,
  'contention.cpu.delay': 0,
  'contention.quota.time': 0,
  'contention.pressure.memory.some.total': 0,
  'contention.block.time': 0,
  'contention.block.requests': 0,
  'contention.net.packets': 0,
  'contention.net.drops': 0,
  'activity.job.time': 0,
  'activity.paused.time': 0,
};
const QUIET: Values = {
  'contention.time': 10 * SECOND,
  'cpu.time': 10 * SECOND,
  'contention.cpu.delay': 0.1 * SECOND,
  'contention.block.time': 0.2 * SECOND,
  'contention.block.requests': 1000,
  'contention.net.packets': 5000,
};
const reading = (...values: readonly Values[]): ReadonlyMap<string, number> =>
  new Map(Object.entries(Object.assign({}, ...values) as Values));
const after = (growth: Values) => judge(reading(START), reading(START, QUIET, growth));
const without = (name: string, growth: Values = {}) => {
  const [before, now] = [reading(START), reading(START, QUIET, growth)].map((one) => {
    const less = new Map(one);
    less.delete(name);
    return less;
  });
  return judge(before!, now!);
};

describe('The verdict', () => {
  it('is that nothing on the host slows a VM down', () => {
    const verdict = after({});
    expect(verdict).toMatchObject({ seconds: 10, findings: [], unseen: [] });
    expect(causeOf(verdict!)).toBe('none');
  });

  it.each<readonly [string, Values, number]>([
    ['paused', { 'activity.paused.time': SECOND }, 10],
    ['quota', { 'contention.quota.time': 4 * SECOND, 'contention.cpu.delay': 4.1 * SECOND }, 20],
    ['memory', { 'contention.pressure.memory.some.total': 2 }, 20],
    ['job', { 'activity.job.time': 10 * SECOND }, 100],
    ['io-limit', { 'contention.block.limit': 99, 'contention.block.time': 9 * SECOND }, 99],
    ['neighbours', { 'contention.cpu.delay': 6 * SECOND }, 30],
    ['storage', { 'contention.block.time': 9 * SECOND, 'contention.block.requests': 100 }, 90],
    ['network', { 'contention.net.drops': 500 }, 10],
  ])('is %s', (name, growth, share) => {
    const verdict = after(growth);
    expect(verdict?.findings.map(({ cause }) => cause)).toEqual([name]);
    expect(verdict?.findings[0]?.evidence[0]?.value).toBeCloseTo(share);
    expect(causeOf(verdict!)).toBe(name);
  });

  it('does not take the time of a quota for neighbours, although the kernel counts it as waiting', () => {
    const verdict = after({ 'contention.quota.time': 8 * SECOND, 'contention.cpu.delay': 8.2 * SECOND });
    expect(verdict?.findings.map(({ cause }) => cause)).toEqual(['quota']);
    expect(verdict?.measured['waiting']).toBeCloseTo(1);
  });

  it('does not accuse neighbours if the VM itself uses all CPUs that it may use', () => {
    const own = { 'contention.cpu.delay': 10 * SECOND, 'cpu.time': 19 * SECOND, 'promised.cpus.usable': 2 };
    expect(after(own)?.findings).toEqual([]);
    expect(after({ ...own, 'promised.cpus.usable': 4 })?.findings[0]?.cause).toBe('neighbours');
  });

  it('does not call storage slow that answers fast to a guest which waits for nothing else', () => {
    expect(after({ 'contention.block.time': 10 * SECOND, 'contention.block.requests': 10_000 })?.findings).toEqual([]);
  });

  it('reports all causes, in the order of the table', () => {
    const verdict = after({
      'contention.net.drops': 500,
      'activity.job.time': 9 * SECOND,
      'activity.paused.time': 3 * SECOND,
    });
    expect(verdict?.findings.map(({ cause }) => cause)).toEqual(['paused', 'job', 'network']);
  });

  it('accuses no neighbours if it does not know the quota, whose time the kernel counts as waiting', () => {
    const verdict = without('contention.quota.time', { 'contention.cpu.delay': 6 * SECOND });
    expect(verdict).toMatchObject({ findings: [], unseen: ['quota', 'neighbours'] });
  });

  it('counts a cause as unseen if the host lacks what would show it', () => {
    const verdict = without('contention.pressure.memory.some.total');
    expect(verdict?.unseen).toEqual(['memory']);
    expect(causeOf(verdict!)).toBe('unknown');
    const both = without('contention.pressure.memory.some.total', { 'contention.net.drops': 500 });
    expect(causeOf(both!)).toBe('network');
  });

  it('misses nothing of a VM without disks, limits and interfaces', () => {
    for (const name of ['contention.block.time', 'contention.block.limit', 'contention.net.packets'])
      expect(causeOf(without(name)!)).toBe('none');
  });

  it.each(['contention.cpu.delay', 'activity.job.time', 'activity.paused.time'])(
    'is not that nothing is there without %s',
    (name) => {
      expect(causeOf(without(name)!)).toBe('unknown');
    },
  );

  it('is none without a time between two readings, and for another run of the VM', () => {
    expect(judge(reading(START), reading(START))).toBeUndefined();
    expect(judge(reading(START, QUIET), reading(START))).toBeUndefined();
    expect(judge(reading({}), reading({}))).toBeUndefined();
  });

  it('says nothing of a counter that restarts', () => {
    const verdict = judge(
      reading(START, { 'contention.net.drops': 9, 'contention.cpu.delay': 5 * SECOND }),
      reading(START, QUIET),
    );
    expect(verdict?.measured).not.toHaveProperty('drops');
    expect(verdict?.unseen).toEqual(['neighbours']);
  });

  it('says nothing by a few packets or requests, or in less than a second', () => {
    expect(after({ 'contention.net.packets': 99, 'contention.net.drops': 50 })?.findings).toEqual([]);
    expect(after({ 'contention.block.requests': 4, 'contention.block.time': 9 * SECOND })?.findings).toEqual([]);
    const short = after({ 'contention.time': 0.9 * SECOND, 'activity.paused.time': 0.5 * SECOND });
    expect(short?.findings).toEqual([]);
  });

  it('has shares of at most all of the time', () => {
    expect(after({ 'activity.job.time': 11 * SECOND })?.findings[0]?.evidence[0]?.value).toBe(100);
  });

  it('names its thresholds with the values', () => {
    expect(after({ 'contention.cpu.delay': 6 * SECOND })?.findings[0]?.evidence).toEqual([
      { name: 'waiting', value: expect.closeTo(30), unit: '%', threshold: 5 },
      { name: 'wanted', value: expect.closeTo(37.5), unit: '%', threshold: 10 },
      { name: 'room', value: expect.closeTo(12.5), unit: '%', threshold: 85, atMost: true },
      { name: 'quota', value: 0, unit: '%', threshold: 100, atMost: true },
    ]);
  });
});

describe('The decision table', () => {
  it('has causes of different names, whose quantities exist', () => {
    expect(new Set(CAUSES.map(({ name }) => name)).size).toBe(CAUSES.length);
    for (const { when } of CAUSES) {
      expect(when.length).toBeGreaterThan(0);
      for (const { evidence, atLeast, atMost } of when) {
        expect(EVIDENCE).toHaveProperty(evidence);
        expect([atLeast, atMost].filter((bound) => bound !== undefined)).toHaveLength(1);
      }
    }
    expect(Object.keys(EVIDENCE).sort()).toEqual(
      [...new Set(CAUSES.flatMap(({ when }) => when.map(({ evidence }) => evidence)))].sort(),
    );
  });

  it('tells guests nothing about others but neighbours', () => {
    for (const { guest, ask } of CAUSES) expect(`${guest} ${ask}`).not.toMatch(/\bDOMAIN\b|other VMs?\b|virsh/);
  });
});

describe('The statistics that the table needs', () => {
  const known = new Set<string>(STATISTICS.vm.map(({ name }) => name));
  it('exist', () => {
    expect(STATISTICS_NEEDED.filter((name) => !known.has(name))).toEqual([]);
  });
});
