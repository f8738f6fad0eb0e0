import { firstValueFrom, of, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { limitedTo } from '../../../src/cli/why/observe.ts';
import { isOfAll, planOf } from '../../../src/cli/why/plan.ts';
import type { Domain, MetricDefinition } from '../../../src/model/metric.ts';
import { findStat, STATISTICS } from '../../../src/model/statistics.ts';
import { STATISTICS_NEEDED } from '../../../src/verdict/judge.ts';
import { domain } from './seen.ts';

const namesOf = ({ metrics }: { readonly metrics: readonly MetricDefinition[] }): readonly string[] =>
  metrics.map(({ name }) => name);
const NONE = { disks: 0, interfaces: 0 };

describe('The plan of vhostmd why', () => {
  it('collects what the verdict needs, each as its own statistic in its own unit', () => {
    const { metrics, updatePeriod } = planOf(7, NONE);
    expect(updatePeriod).toBe(7000);
    for (const name of STATISTICS_NEEDED.filter((stat) => findStat('vm', stat) !== undefined))
      expect(metrics).toContainEqual(
        expect.objectContaining({ name, context: 'vm', source: { kind: 'stat', stat: name } }),
      );
    expect(metrics.map(({ index }) => index)).toEqual(metrics.map((_, at) => at));
    expect(new Set(namesOf({ metrics })).size).toBe(metrics.length);
  });

  it('collects of each disk and interface of one domain what names the slow one', () => {
    const names = namesOf(planOf(5, { disks: 2, interfaces: 1 }));
    for (const name of ['block.0.name', 'block.1.rd.times', 'block.1.wr.bytes', 'net.0.name', 'net.0.rx.drop'])
      expect(names).toContain(name);
    expect(names).not.toContain('block.2.name');
    expect(names).not.toContain('net.1.name');
  });

  it('collects of all domains only what the verdict needs', () => {
    const names = namesOf(planOf(5, undefined));
    expect(names.filter((name) => !STATISTICS_NEEDED.includes(name))).toEqual(['state.state']);
  });

  it('asks other domains for nothing but the result of virDomainGetInfo', () => {
    const free = planOf(5, NONE).metrics.filter(isOfAll);
    const info = STATISTICS.vm.filter(({ via }) => via === 'virDomainGetInfo').map(({ name }): string => name);
    expect(free.length).toBeGreaterThan(0);
    for (const { name } of free) expect(info).toContain(name);
  });
});

describe('A collector that is limited to one domain', () => {
  const { metrics } = planOf(5, NONE);
  const [one, other] = [domain('one', 1), domain('other', 2)];
  const asked: (readonly Domain[])[] = [];
  const collector = (some: readonly MetricDefinition[]) => ({
    metrics: some,
    collect$: (domains: readonly Domain[]) => {
      asked.push(domains);
      return of([]);
    },
  });

  it('asks only that one, and answers for the others at once with nothing', async () => {
    asked.length = 0;
    const costly = metrics.filter(({ name, context }) => context === 'vm' && name.startsWith('contention.'));
    const { collect$ } = limitedTo(one.uuid)(collector(costly));
    const readings = (await firstValueFrom(collect$([one, other]).pipe(toArray()))).flat();
    expect(asked).toEqual([[one]]);
    expect(readings).toHaveLength(costly.length);
    for (const { outcome, ...reading } of readings) {
      expect(reading.domain).toBe(other);
      expect(outcome).toEqual({ ok: true, samples: [] });
    }
    await firstValueFrom(collect$([other]).pipe(toArray()));
    expect(asked).toHaveLength(1);
  });

  it('asks all for what is free', async () => {
    asked.length = 0;
    const free = limitedTo(one.uuid)(collector(metrics.filter(isOfAll)));
    await firstValueFrom(free.collect$([one, other]).pipe(toArray()));
    expect(asked).toEqual([[one, other]]);
  });
});
