import { map, NEVER, type Observable, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain, MetricDefinition, Reading } from '../../../src/model/metric.ts';
import { domainCollectors } from '../../../src/sources/libvirt/domain-stats.ts';
import { LibvirtError } from '../../../src/sources/libvirt/call.ts';
import type { StatValue } from '../../../src/sources/libvirt/typed-params.ts';
import type { Connection } from '../../../src/sources/libvirt/types.ts';
import type { ConnectionState } from '../../../src/sources/libvirt/reconnect.ts';
import { STATS_GROUP } from '../../../src/model/statistics.ts';
import { domain, fakeConnection, statMetric, statsOf, virtualTime } from '../fake-libvirt.ts';

const [a, b] = [domain('a'), domain('b')];

const brief = ({ domain: of, metric, outcome }: Reading): string =>
  `${of?.name} ${metric.name} ${outcome.ok ? outcome.samples.map(({ value }) => value).join() : `(${outcome.reason})`}`;

// Runs all collectors over the domains on a connection that records its calls.
const collect = (
  metrics: readonly MetricDefinition[],
  fields: Readonly<Record<string, StatValue>>,
  domains: readonly Domain[] = [a],
  answer: Partial<Connection> = {},
) => {
  const { scheduler, seen, see } = virtualTime(5000);
  const calls: string[] = [];
  const fake = fakeConnection({
    info$: (asked) => of(statsOf(asked, fields)),
    stats$: (asked) => of(asked.map((one) => statsOf(one, fields))),
    ...answer,
  });
  const connection: Connection = {
    ...fake,
    info$: (asked) => {
      calls.push(`info ${asked.name}`);
      return fake.info$(asked);
    },
    stats$: (asked, groups) => {
      calls.push(`stats ${asked.map(({ name }) => name).join(' ')}: ${groups}`);
      return fake.stats$(asked, groups);
    },
  };
  const connectionState$: Observable<ConnectionState> = of({ up: true, connection });
  let completed = 0;
  const collectors = domainCollectors(metrics, connectionState$, scheduler);
  for (const { collect$ } of collectors) {
    collect$(domains)
      .pipe(map((readings) => readings.map(brief)))
      .subscribe({ next: see, complete: () => (completed += 1) });
  }
  scheduler.flush();
  return { calls, seen, readings: seen.flatMap(([, readings]) => readings as string[]), collectors, completed };
};

describe('Statistics of domains', () => {
  it('of contention over all devices cost no call of their own, and are of each answer', () => {
    const names = ['block.0.rd.reqs', 'contention.block.requests', 'contention.net.drops', 'net.0.rx.drop'];
    const fields = {
      'block.count': 1,
      'block.0.name': 'vda',
      'block.0.rd.reqs': 7n,
      'net.count': 1,
      'net.0.name': 'vnet0',
      'net.0.rx.drop': 2n,
    };
    const { calls, readings } = collect(
      names.map((name, index) => statMetric(name, 'uint64', index)),
      fields,
    );
    expect(calls.toSorted()).toEqual([`stats a: ${STATS_GROUP.net}`, `stats a: ${STATS_GROUP.block}`].toSorted());
    expect(readings.toSorted()).toEqual([
      'a block.0.rd.reqs 7',
      'a contention.block.requests 7',
      'a contention.net.drops 2',
      'a net.0.rx.drop 2',
    ]);
  });

  it('that are not of libvirt are not asked of it', () => {
    const names = ['contention.cpu.delay', 'slow.cause', 'activity.job', 'promised.cpus'];
    const { calls, collectors } = collect(
      names.map((name, index) => statMetric(name, 'uint64', index)),
      {},
    );
    expect(calls).toEqual([]);
    expect(collectors).toEqual([]);
  });

  it('of the SAP set are asked by virDomainGetInfo alone, one call for each domain', () => {
    const names = ['cpu.time', 'vcpu.current', 'balloon.maximum', 'balloon.current', 'state.state'];
    const { calls, readings, completed } = collect(
      names.map((name, index) => statMetric(name, 'uint64', index)),
      { 'cpu.time': 5n, 'vcpu.current': 2, 'balloon.maximum': 16384n, 'balloon.current': 8192n, 'state.state': 1 },
      [a, b],
    );
    expect(calls).toEqual(['info a', 'info b']);
    expect(readings).toContain('b balloon.current 8192');
    expect(readings).toHaveLength(10);
    expect(completed).toBe(1);
  });

  it('ask for the groups only that are named, those that need an answer of QEMU apart from those that do not', () => {
    const names = ['cpu.user', 'vcpu.*.delay', 'block.*.rd.bytes', 'net.*.rx.bytes', 'cpu.time', 'state.reason'];
    const { calls, collectors } = collect(
      names.map((name) => statMetric(name)),
      {},
      [a, b],
    );
    expect(calls.slice(0, 4)).toEqual([
      'info a',
      'info b',
      `stats a b: ${STATS_GROUP.net | STATS_GROUP.state}`,
      `stats a b: ${STATS_GROUP.cpu | STATS_GROUP.vcpu | STATS_GROUP.block}`,
    ]);
    expect(collectors.map(({ metrics }) => metrics.map(({ name }) => name))).toEqual([
      ['cpu.time'],
      ['net.*.rx.bytes', 'state.reason'],
      ['cpu.user', 'vcpu.*.delay', 'block.*.rd.bytes'],
    ]);
  });

  it('are not asked at all where no metric of a VM is a statistic', () => {
    const host = { ...statMetric('host.time'), context: 'host' as const };
    const action = { ...statMetric('x'), source: { kind: 'action' as const, command: 'echo 1' } };
    expect(collect([host, action], {}).collectors).toEqual([]);
  });

  it('with a * are summed, exactly beyond 53 bits, numbers of real types too, and other fields are not counted', () => {
    const fields = {
      'vcpu.0.delay': 9_007_199_254_740_993n,
      'vcpu.1.delay': 2n,
      'vcpu.10.delay': 5,
      'vcpu.x.delay': 100n,
      'vcpu.0.delays': 100n,
      'net.0.name': 'vnet0',
      'net.1.name': 'vnet1',
      'perf.a': 0.5,
    };
    const { readings } = collect(
      [statMetric('vcpu.*.delay'), statMetric('net.*.name', 'string'), statMetric('perf.a', 'real64')],
      fields,
    );
    expect(readings.sort()).toEqual([
      'a net.*.name vnet0,vnet1',
      'a perf.a 0.500000',
      'a vcpu.*.delay 9007199254741000',
    ]);
  });

  it('are scaled, keep their unit, and those that do not fit the type are a failure', () => {
    const { readings } = collect(
      [
        { ...statMetric('cpu.time', 'real64'), source: { kind: 'stat', stat: 'cpu.time', scale: 1e-9 } },
        statMetric('vcpu.current', 'string', 1),
        statMetric('balloon.maximum', 'uint32', 2),
      ],
      { 'cpu.time': 69_400_000_000n, 'vcpu.current': 2, 'balloon.maximum': 2n ** 40n },
    );
    expect(readings[0]).toBe('a cpu.time 69.400000');
    expect(readings[1]).toBe('a vcpu.current 2');
    expect(readings[2]).toMatch(/^a balloon\.maximum \(.+\)$/);
  });

  it('CASE B10: of a domain whose lock or monitor another call holds for too long are late, not failed', () => {
    const busy = () => throwError(() => new LibvirtError('Timed out during operation: cannot acquire state lock', 68));
    const { readings, completed } = collect([statMetric('cpu.time'), statMetric('net.0.rx.bytes')], {}, [a], {
      info$: busy,
      stats$: busy,
    });
    expect([readings, completed]).toEqual([[], 2]);
  });

  it('that a domain does not have are a failure that names them, the others of the same domain are there', () => {
    const { readings } = collect([statMetric('block.0.rd.reqs'), statMetric('vcpu.maximum')], { 'vcpu.maximum': 4 });
    expect(readings).toEqual(['a block.0.rd.reqs (the domain has no statistic block.0.rd.reqs)', 'a vcpu.maximum 4']);
  });

  it.each([1, 38, 39, 42, 55])(
    'FAULTS 36: of a domain or a connection that vanishes meanwhile (error %d) are no failure',
    (code) => {
      const gone = (): Observable<never> => throwError(() => new LibvirtError('gone', code));
      const { readings, completed } = collect([statMetric('cpu.time'), statMetric('vcpu.maximum')], {}, [a, b], {
        info$: (asked) => (asked === a ? gone() : of(statsOf(asked, { 'cpu.time': 5n }))),
        stats$: gone,
      });
      expect(readings).toEqual(['b cpu.time 5']);
      expect(completed).toBe(2);
    },
  );

  it('that libvirt refuses are a failure with its reason for each domain', () => {
    const { readings } = collect([statMetric('vcpu.maximum')], {}, [a, b], {
      stats$: () => throwError(() => new LibvirtError('unsupported flags', 3)),
    });
    expect(readings).toEqual(['a vcpu.maximum (unsupported flags)', 'b vcpu.maximum (unsupported flags)']);
  });

  it('that need no call come at once and together, the others when libvirt answers', () => {
    const c = domain('c');
    const { calls, seen } = collect([statMetric('cpu.time')], { 'cpu.time': 5n }, [a, b, c], {
      localInfo: (asked) => (asked === b ? undefined : statsOf(asked, { 'cpu.time': 4n })),
    });
    expect(calls).toEqual(['info b']);
    expect(seen.map(([, readings]) => readings)).toEqual([['a cpu.time 4', 'c cpu.time 4'], ['b cpu.time 5']]);
  });

  it('ask 8 domains at once at most: a hundred do not take all worker threads', () => {
    const many = Array.from({ length: 100 }, (_, index) => domain(`d${index}`, index + 1));
    const { calls } = collect([statMetric('cpu.time')], {}, many, { info$: () => NEVER });
    expect(calls).toHaveLength(8);
  });

  it('are missing while libvirt is away: the collection completes at once and emits nothing', () => {
    const { scheduler } = virtualTime(100);
    const away$: Observable<ConnectionState> = of({ up: false, reason: 'refused' });
    const [collector] = domainCollectors([statMetric('cpu.time')], away$, scheduler);
    let ended = false;
    collector?.collect$([a]).subscribe({ next: () => expect.unreachable(), complete: () => (ended = true) });
    expect(ended).toBe(true);
  });
});
