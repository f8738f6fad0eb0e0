import { from, lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain, DomainMetrics, MetricDefinition, Sample, Snapshot } from '../../src/model/metric.ts';
import { verdicts } from '../../src/streams/verdicts.ts';
import { statMetric } from '../sources/fake-libvirt.ts';

const DOMAIN: Domain = { uuid: 'u', id: 1, name: 'one' };
const CLOCK = statMetric('contention.time', 'uint64', 0);
const CAUSE = statMetric('slow.cause', 'string', 1);
const SHARE = statMetric('slow.share', 'real64', 2);
const PAUSED = statMetric('activity.paused.time', 'uint64', 3);
const ALL = [CLOCK, CAUSE, SHARE, PAUSED];

const sample = ({ name, type }: MetricDefinition, value: number): Sample => ({
  name,
  type: type as Sample['type'],
  value: String(value),
});
const entry = (seconds: number, paused: number, domain = DOMAIN, scale = 1): DomainMetrics => ({
  domain,
  samples: [sample(CLOCK, seconds * 1e9 * scale), sample(PAUSED, paused * 1e9)],
});
const snapshot = (...domainMetrics: readonly DomainMetrics[]): Snapshot => ({
  cause: 'tick',
  tick: 0,
  at: 0,
  host: [],
  domainMetrics,
  missing: [],
});
const run = async (metrics: readonly MetricDefinition[], ...snapshots: readonly Snapshot[]) =>
  await lastValueFrom(from(snapshots).pipe(verdicts(metrics), toArray()));
const valuesOf = ({ domainMetrics }: Snapshot) =>
  domainMetrics.map(({ samples }) => samples.map(({ name, value }) => `${name}=${value}`));

describe('The stream of verdicts', () => {
  it('adds the verdict from the second collection on, in the order of the configuration', async () => {
    const [first, second] = await run(ALL, snapshot(entry(10, 0)), snapshot(entry(15, 1)));
    expect(valuesOf(first!)).toEqual([['contention.time=10000000000', 'activity.paused.time=0']]);
    expect(valuesOf(second!)).toEqual([
      ['contention.time=15000000000', 'slow.cause=paused', 'slow.share=20.000000', 'activity.paused.time=1000000000'],
    ]);
    expect(second?.domainMetrics[0]?.verdict?.findings[0]?.cause).toBe('paused');
  });

  it('passes snapshots on as they are if no metric needs it', async () => {
    const given = [snapshot(entry(10, 0)), snapshot(entry(15, 1))];
    const shown = await run([CLOCK, PAUSED], ...given);
    expect(shown[0]).toBe(given[0]);
    expect(shown[1]).toBe(given[1]);
  });

  it('keeps the object of a domain that has not changed', async () => {
    const [one, two] = [entry(10, 0), entry(15, 1)];
    const shown = await run(ALL, snapshot(one), snapshot(two), snapshot(two));
    expect(shown[2]?.domainMetrics[0]).toBe(shown[1]?.domainMetrics[0]);
  });

  it('keeps the verdict when a late value of the same collection arrives', async () => {
    const shown = await run(
      ALL,
      snapshot(entry(10, 0)),
      snapshot(entry(15, 1)),
      snapshot(entry(15, 2)),
      snapshot(entry(20, 2)),
    );
    expect(shown[2]?.domainMetrics[0]?.verdict).toBe(shown[1]?.domainMetrics[0]?.verdict);
    expect(valuesOf(shown[2]!)[0]).toContain('activity.paused.time=2000000000');
    // Between the collections at 15 s and at 20 s.
    expect(valuesOf(shown[3]!)[0]).toContain('slow.share=20.000000');
  });

  it('compares a domain that resumed with itself, but not one that restarted', async () => {
    const resumed = { ...DOMAIN };
    const shown = await run(
      ALL,
      snapshot(entry(10, 0)),
      snapshot(entry(15, 2, resumed)),
      snapshot(entry(20, 3, { ...DOMAIN, id: 2 })),
    );
    expect(valuesOf(shown[1]!)[0]).toContain('slow.share=40.000000');
    expect(shown[2]?.domainMetrics[0]?.verdict).toBeUndefined();
  });

  it('forgets a domain that has gone', async () => {
    const shown = await run(ALL, snapshot(entry(10, 0)), snapshot(), snapshot(entry(15, 1)));
    expect(shown[2]?.domainMetrics[0]?.verdict).toBeUndefined();
  });

  it('takes the scale of a metric into account', async () => {
    const source = { kind: 'stat', stat: 'contention.time', scale: 1e-9 } as const;
    const metrics = [{ ...CLOCK, source }, CAUSE, SHARE, PAUSED];
    const shown = await run(metrics, snapshot(entry(10, 0, DOMAIN, 1e-9)), snapshot(entry(15, 1, DOMAIN, 1e-9)));
    expect(valuesOf(shown[1]!)[0]).toContain('slow.share=20.000000');
  });
});
