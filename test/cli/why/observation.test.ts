import { describe, expect, it } from 'vitest';

import { observed } from '../../../src/cli/why/observation.ts';
import { planOf } from '../../../src/cli/why/plan.ts';
import type { DomainMetrics, MetricDefinition, Snapshot } from '../../../src/model/metric.ts';
import { domain } from './seen.ts';

const metricOf = (name: string): MetricDefinition => {
  const found = planOf(5, { disks: 0, interfaces: 0 }).metrics.find((metric) => metric.name === name);
  if (found === undefined) throw new Error(`no metric ${name}`);
  return found;
};
const metrics = (name: string, id: number, values: Readonly<Record<string, number | string>>): DomainMetrics => ({
  domain: domain(name, id),
  samples: Object.entries(values).map(([stat, value]) => ({ name: stat, type: 'uint64', value: String(value) })),
});
const snapshot = (tick: number, domainMetrics: readonly DomainMetrics[], more: Partial<Snapshot> = {}): Snapshot => ({
  cause: 'tick',
  tick,
  at: tick * 5000,
  host: [{ name: 'host.cpus', type: 'uint32', value: '2' }],
  domainMetrics,
  missing: [],
  ...more,
});

const FIRST = {
  'contention.time': 0,
  'cpu.time': 0,
  'contention.quota.time': 0,
  'vcpu.current': 1,
  'activity.job': 'none',
};
const SECOND = { ...FIRST, 'contention.time': 5e9, 'cpu.time': 1e9, 'contention.quota.time': 4e9 };

describe('What two collections show', () => {
  it('is the verdict about each domain, and the CPU time of all', () => {
    const [one, two] = observed(
      snapshot(0, [metrics('a', 1, FIRST), metrics('b', 2, { 'cpu.time': 5 })]),
      snapshot(1, [metrics('a', 1, SECOND), metrics('b', 2, { 'cpu.time': 2e9 + 5 })]),
      undefined,
    );
    expect(one).toMatchObject({ blind: false, verdict: { seconds: 5, findings: [{ cause: 'quota' }] } });
    expect(one?.cpu).toEqual([
      { domain: domain('a', 1), used: 1e9 },
      { domain: domain('b', 2), used: 2e9 },
    ]);
    expect(one?.host.now.get('host.cpus')).toBe('2');
    // Without the clock nothing can be judged.
    expect(two).toMatchObject({ blind: true, verdict: { findings: [] } });
  });

  it('is about the one domain that was asked for', () => {
    const all = [metrics('a', 1, SECOND), metrics('b', 2, SECOND)];
    const some = observed(snapshot(0, all), snapshot(1, all), domain('b', 2).uuid);
    expect(some.map((one) => one.domain.name)).toEqual(['b']);
    expect(some[0]?.cpu).toHaveLength(2);
  });

  it('is nothing for another run of the domain', () => {
    const restarted = { ...metrics('a', 1, SECOND), domain: { ...domain('a', 1), id: 9 } };
    expect(observed(snapshot(0, [metrics('a', 1, FIRST)]), snapshot(1, [restarted]), undefined)).toMatchObject([
      { blind: true, cpu: [] },
    ]);
  });

  it('has the reasons why statistics are missing or old', () => {
    const [time, memory] = ['contention.time', 'contention.pressure.memory.some.total'].map(metricOf);
    const [one, two] = observed(
      snapshot(0, [metrics('a', 1, FIRST), metrics('b', 2, FIRST)]),
      snapshot(1, [metrics('a', 1, SECOND), metrics('b', 2, SECOND)], {
        missing: [{ metric: memory!, domain: domain('a', 1), stage: 'stat', reason: 'why' }],
        late: [{ metric: time!, domain: domain('a', 1), tick: 0 }],
      }),
      undefined,
    );
    expect(one?.missing).toEqual(
      new Map([
        ['contention.time', 'its QEMU does not answer in time'],
        ['contention.pressure.memory.some.total', 'why'],
      ]),
    );
    expect(two?.missing.size).toBe(0);
  });
});
