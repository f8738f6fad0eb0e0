import { concat, map, NEVER, type Observable, of, Subject, take, timer, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain, DomainEvent, MetricDefinition, Outcome, Reading, Snapshot } from '../../src/model/metric.ts';
import type { ActionRequest, Sources } from '../../src/sources/source.ts';
import { tick$ } from '../../src/sources/tick.ts';
import { snapshot$ } from '../../src/streams/snapshot.ts';

const PERIOD = 1000;

const metric = (index: number, change: Partial<MetricDefinition>): MetricDefinition => ({
  index,
  name: `m${index}`,
  type: 'uint32',
  context: 'host',
  source: { kind: 'action', command: 'true' },
  variables: [],
  every: 1,
  timeout: PERIOD,
  place: { file: 'f', line: 1, column: 1 },
  ...change,
});
const vm = (uuid: string, id: number, name = uuid): Domain => ({ uuid, id, name });
const one = (value: string): Outcome => ({ ok: true, samples: [{ name: 'n', type: 'uint32', value }] });

// Plays the pipeline in virtual time; returns its snapshots. `events` have their times in milliseconds.
const play = (
  until: number,
  metrics: readonly MetricDefinition[],
  events: readonly (readonly [number, DomainEvent])[],
  sources: Partial<Sources> = {},
  scheduler = new VirtualTimeScheduler(undefined, until),
): readonly Snapshot[] => {
  const domain$ = new Subject<DomainEvent>();
  const seen: Snapshot[] = [];
  const all: Sources = {
    tick$: tick$(PERIOD, scheduler),
    domain$,
    isFromLibvirt: () => false,
    hostStats$: () => NEVER,
    domainCollectors: [],
    action$: () => of(one('1')),
    ...sources,
  };
  const subscription = snapshot$(all, metrics, PERIOD, scheduler).subscribe((snapshot) => seen.push(snapshot));
  for (const [at, event] of events) scheduler.schedule(() => domain$.next(event), at);
  scheduler.flush();
  subscription.unsubscribe();
  return seen;
};

describe('snapshots', () => {
  const cpu = metric(0, { context: 'vm' });

  it('have their cause, the number of the latest tick and the time of the cause', () => {
    const seen = play(
      1500,
      [cpu],
      [
        [0, { kind: 'sync', domains: [vm('a', 1)] }],
        [1200, { kind: 'running', domain: vm('b', 2) }],
        [1400, { kind: 'gone', uuid: 'a' }],
      ],
    );
    expect(seen.map(({ cause, tick, at }) => [cause, tick, at])).toEqual([
      ['tick', 0, 0],
      ['tick', 1, 1000],
      ['change', 1, 1200],
      ['change', 1, 1400],
    ]);
  });

  it('CASE B10: keep the values of domains where the daemon itself got no processor for many ticks', () => {
    const delay = metric(0, { context: 'vm', source: { kind: 'stat', stat: 'vcpu.0.delay' } });
    let calls = 0;
    // Ticks 2 to 5 are skipped. From tick 6 on libvirt does not answer.
    const ticks = [0, 1, 6, 7, 8, 9];
    const scheduler = new VirtualTimeScheduler(undefined, 6000);
    const sources: Partial<Sources> = {
      tick$: timer(0, PERIOD, scheduler).pipe(
        take(ticks.length),
        map((index) => ticks[index] ?? 0),
      ),
      domainCollectors: [
        {
          metrics: [delay],
          collect$: ([domain]) => {
            calls += 1;
            if (calls > 2 || domain === undefined) return NEVER;
            return of([{ metric: delay, domain, outcome: one('1') }]);
          },
        },
      ],
    };
    const seen = play(6000, [delay], [[0, { kind: 'sync', domains: [vm('a', 1)] }]], sources, scheduler);
    const shown = seen
      .filter(({ cause }) => cause === 'tick')
      .map(({ tick, domainMetrics }) => [tick, domainMetrics.length]);
    // After three ticks without an answer of libvirt the domain may be gone.
    expect(shown).toEqual([
      [0, 1],
      [1, 1],
      [6, 1],
      [7, 1],
      [8, 0],
      [9, 0],
    ]);
  });

  it.each([
    // The statistic of each tick lacks three answers first; the other one is no older than three of its periods.
    ['the statistic that is asked for most often', ['stat', 1], ['stat', 3], [2, 2, 2, 1, 1, 1, 1, 1, 1, 0]],
    // The value of the action is late from the third tick on.
    ['statistics, not of actions', ['stat', 2], ['action', 1], [2, 2, 2, 2, 2, 2, 0]],
  ] as const)('keep late values where libvirt is silent, for three periods of %s', (_of, first, second, counts) => {
    const metrics = [first, second].map(([kind, every], index) =>
      metric(index, {
        context: 'vm',
        every,
        source: kind === 'stat' ? { kind, stat: 'cpu.time' } : { kind, command: 'true' },
      }),
    );
    const stats = metrics.filter(({ source }) => source.kind === 'stat');
    let asked = 0;
    let runs = 0;
    const seen = play(counts.length * PERIOD - 1, metrics, [[0, { kind: 'sync', domains: [vm('a', 1)] }]], {
      domainCollectors: [
        {
          metrics: stats,
          collect$: ([domain]) => {
            asked += 1;
            if (asked > 1 || domain === undefined) return NEVER;
            return of(stats.map((each): Reading => ({ metric: each, domain, outcome: one('1') })));
          },
        },
      ],
      action$: () => {
        runs += 1;
        return runs > 1 ? NEVER : of(one('1'));
      },
    });
    const ofTick = new Map(seen.map(({ tick, domainMetrics }) => [tick, domainMetrics[0]?.samples.length ?? 0]));
    expect([...ofTick.values()]).toEqual(counts);
  });

  it('list the domains by id, and leave out those without a value', () => {
    const [seen] = play(10, [cpu], [[0, { kind: 'sync', domains: [vm('a', 10), vm('b', 9), vm('c', 2)] }]], {
      action$: ({ domain }) => of<Outcome>(domain?.uuid === 'c' ? { ok: false, stage: 'run', reason: 'no' } : one('1')),
    });
    expect(seen?.domainMetrics.map(({ domain }) => domain.uuid)).toEqual(['b', 'a']);
    expect(seen?.missing).toEqual([{ metric: cpu, domain: vm('c', 2), stage: 'run', reason: 'no' }]);
  });

  it('keep the objects of parts that did not change', () => {
    const seen = play(
      1500,
      [cpu, metric(1, {})],
      [
        [0, { kind: 'sync', domains: [vm('a', 1)] }],
        [500, { kind: 'running', domain: vm('b', 2) }],
      ],
    );
    expect(seen).toHaveLength(3);
    for (const { host, domainMetrics } of seen) {
      expect(host).toBe(seen[0]?.host);
      expect(domainMetrics[0]).toBe(seen[0]?.domainMetrics[0]);
    }
  });

  it('name a domain as it is called now, also where its value fails as before', () => {
    const seen = play(
      1100,
      [cpu],
      [
        [0, { kind: 'sync', domains: [vm('a', 1, 'old')] }],
        [500, { kind: 'running', domain: vm('a', 1, 'new') }],
      ],
      { action$: () => of<Outcome>({ ok: false, stage: 'run', reason: 'no' }) },
    );
    expect(seen.at(-1)?.missing.map(({ domain }) => domain?.name)).toEqual(['new']);
  });

  it('take a changed name as a change', () => {
    const seen = play(
      900,
      [cpu],
      [
        [0, { kind: 'sync', domains: [vm('a', 1, 'old')] }],
        [500, { kind: 'running', domain: vm('a', 1, 'new') }],
      ],
    );
    expect(seen.map(({ domainMetrics }) => domainMetrics[0]?.domain.name)).toEqual(['old', 'new']);
  });

  it('ask the host for the statistics that are due only', () => {
    const stat = { kind: 'stat', stat: 'host.time' } as const;
    const asked: string[] = [];
    play(
      2500,
      [metric(0, { source: stat }), metric(1, { source: stat, every: 2 })],
      [[0, { kind: 'sync', domains: [] }]],
      {
        isFromLibvirt: () => false,
        hostStats$: (due) => {
          asked.push(due.map(({ name }) => name).join(' '));
          return of(due.map((each): Reading => ({ metric: each, outcome: one('1') })));
        },
      },
    );
    expect(asked).toEqual(['m0 m1', 'm0', 'm0 m1']);
  });

  it('ask for what the running domains may use in a call of its own, with the domains while libvirt is there', () => {
    const statOf = (stat: string, index: number) => metric(index, { source: { kind: 'stat', stat } });
    const asked: string[] = [];
    play(
      2500,
      [statOf('host.time', 0), statOf('host.cpus', 1), statOf('host.overcommit.cpus', 2)],
      [
        [0, { kind: 'sync', domains: [vm('a', 1), vm('b', 2)] }],
        [1500, { kind: 'lost', reason: 'away' }],
      ],
      {
        isFromLibvirt: ({ index }) => index > 0,
        hostStats$: (due, running) => {
          const names = due.map(({ name }) => name).join(' ');
          asked.push(`${names} ${running?.map(({ name }) => name).join('') ?? 'away'}`);
          return of(due.map((each): Reading => ({ metric: each, outcome: one('1') })));
        },
      },
    );
    expect(asked.filter((call) => call.startsWith('m2'))).toEqual(['m2 ab', 'm2 ab', 'm2 away']);
    expect(new Set(asked.map((call) => call.split(' ')[0]))).toEqual(new Set(['m0', 'm1', 'm2']));
  });

  it('take from a collector only the metrics that are due', () => {
    const stat = { kind: 'stat', stat: 'cpu.time' } as const;
    const both = [0, 1].map((index) => metric(index, { context: 'vm', source: stat, every: index + 1 }));
    let calls = 0;
    const collect$ = (domains: readonly Domain[]): Observable<readonly Reading[]> => {
      calls += 1;
      return of(
        domains.flatMap((domain) => both.map((each) => ({ metric: each, domain, outcome: one(String(calls)) }))),
      );
    };
    const seen = play(2500, both, [[0, { kind: 'sync', domains: [vm('a', 1)] }]], {
      domainCollectors: [{ metrics: both, collect$ }],
    });
    expect(seen.map(({ domainMetrics }) => domainMetrics[0]?.samples.map(({ value }) => value))).toEqual([
      ['1', '1'],
      ['2', '1'],
      ['3', '3'],
    ]);
  });

  it('ask a collector for nothing while none of its metrics is due, and for no domain that has not answered yet', () => {
    const stat = { kind: 'stat', stat: 'cpu.time' } as const;
    const asked = (every: number, answer$: Observable<readonly Reading[]>): readonly string[] => {
      const each = metric(0, { context: 'vm', source: stat, every });
      const calls: string[] = [];
      play(3900, [each], [[0, { kind: 'sync', domains: [vm('a', 1)] }]], {
        domainCollectors: [
          {
            metrics: [each],
            collect$: (domains) => {
              calls.push(domains.map(({ uuid }) => uuid).join());
              return answer$;
            },
          },
        ],
      });
      return calls;
    };
    expect(asked(2, of([]))).toEqual(['a', 'a']);
    expect(asked(1, NEVER)).toEqual(['a']);
  });

  it('ask the domains in the order of their ids, which the published ones have too', () => {
    const asked: (string | undefined)[] = [];
    play(10, [cpu], [[0, { kind: 'sync', domains: [vm('a', 10), vm('b', 9), vm('c', 2)] }]], {
      action$: ({ domain }) => {
        asked.push(domain?.uuid);
        return of(one('1'));
      },
    });
    expect(asked).toEqual(['c', 'b', 'a']);
  });

  it('mark an action as late, until it is prompt again', () => {
    const scheduler = { late: [] as boolean[] };
    // Half a period is already too long.
    const lengths = [700, 500, 10, 10];
    const load = metric(0, {});
    const virtual = new VirtualTimeScheduler(undefined, 4500);
    const requests = ({ late }: ActionRequest): Observable<Outcome> => {
      scheduler.late.push(late);
      return timer(lengths[scheduler.late.length - 1] ?? 0, virtual).pipe(map(() => one('1')));
    };
    const sources: Sources = {
      tick$: tick$(PERIOD, virtual),
      domain$: of<DomainEvent>({ kind: 'sync', domains: [] }),
      isFromLibvirt: () => false,
      hostStats$: () => NEVER,
      domainCollectors: [],
      action$: requests,
    };
    const subscription = snapshot$(sources, [load], PERIOD, virtual).subscribe();
    virtual.flush();
    subscription.unsubscribe();
    expect(scheduler.late).toEqual([false, true, true, false, false]);
  });

  it('hold no domain for slow that was so before it stopped, also where it runs under its old id again', () => {
    const late: boolean[] = [];
    const scheduler = new VirtualTimeScheduler(undefined, 1700);
    const sources: Partial<Sources> = {
      action$: (request) => {
        late.push(request.late);
        return timer(700, scheduler).pipe(map(() => one('1')));
      },
    };
    const events: readonly (readonly [number, DomainEvent])[] = [
      [0, { kind: 'sync', domains: [vm('a', 1)] }],
      [1500, { kind: 'gone', uuid: 'a' }],
      [1600, { kind: 'running', domain: vm('a', 1) }],
    ];
    play(1700, [cpu], events, sources, scheduler);
    expect(late).toEqual([false, true, false]);
  });

  it('wait for no source that has ended without an answer', () => {
    const stat = metric(0, { context: 'vm', source: { kind: 'stat', stat: 'cpu.time' } });
    let calls = 0;
    const seen = play(
      1500,
      [stat],
      [
        [0, { kind: 'sync', domains: [vm('a', 1), vm('b', 2)] }],
        [1100, { kind: 'gone', uuid: 'b' }],
      ],
      {
        domainCollectors: [
          {
            metrics: [stat],
            collect$: (domains) => {
              calls += 1;
              return of(
                calls > 1 ? [] : domains.map((domain): Reading => ({ metric: stat, domain, outcome: one('1') })),
              );
            },
          },
        ],
      },
    );
    expect(seen.map(({ cause, domainMetrics }) => [cause, domainMetrics.length])).toEqual([
      ['tick', 2],
      ['tick', 2],
      ['change', 1],
    ]);
  });

  it('never ask twice at the same time for a domain, also where an earlier question is answered for all at last', () => {
    const stat = metric(0, { context: 'vm', source: { kind: 'stat', stat: 'cpu.time' } });
    const asked: string[] = [];
    const scheduler = new VirtualTimeScheduler(undefined, 2900);
    play(
      2900,
      [stat],
      [[0, { kind: 'sync', domains: [vm('a', 1), vm('b', 2)] }]],
      {
        domainCollectors: [
          {
            metrics: [stat],
            collect$: (domains) => {
              asked.push(domains.map(({ uuid }) => uuid).join(' '));
              if (asked.length > 1) return NEVER;
              // The first domain answers at once, the second after 1.5 s.
              return concat(
                ...domains.map((domain, index) =>
                  timer(index * 1500, scheduler).pipe(
                    map((): readonly Reading[] => [{ metric: stat, domain, outcome: one('1') }]),
                  ),
                ),
              );
            },
          },
        ],
      },
      scheduler,
    );
    expect(asked).toEqual(['a b', 'a', 'b']);
  });

  it('FAULTS 37: mix nothing where an id is used again by another domain', () => {
    const seen = play(
      1500,
      [cpu],
      [
        [0, { kind: 'sync', domains: [vm('a', 7)] }],
        [300, { kind: 'gone', uuid: 'a' }],
        [310, { kind: 'running', domain: vm('b', 7) }],
      ],
      { action$: ({ domain }) => of(one(domain?.uuid ?? '')) },
    );
    for (const { domainMetrics } of seen) {
      for (const { domain, samples } of domainMetrics) expect(samples.map(({ value }) => value)).toEqual([domain.uuid]);
    }
    expect(seen.map(({ domainMetrics }) => domainMetrics.map(({ domain }) => domain.uuid).join())).toEqual([
      'a',
      '',
      'b',
      'b',
    ]);
  });

  it('FAULTS 32: end with exactly the right domains after a storm, and collect no more than every 50 ms', () => {
    let runs = 0;
    const events: (readonly [number, DomainEvent])[] = [[0, { kind: 'sync', domains: [] }]];
    for (let at = 1; at < 3000; at += 1) {
      const uuid = `vm${at % 10}`;
      events.push([
        at,
        Math.floor(at / 10) % 2 === 0 ? { kind: 'running', domain: vm(uuid, at) } : { kind: 'gone', uuid },
      ]);
    }
    const seen = play(3900, [cpu], events, {
      action$: () => {
        runs += 1;
        return of(one('1'));
      },
    });
    expect(seen.at(-1)?.domainMetrics).toEqual([]);
    expect(runs).toBeLessThanOrEqual((3000 / 50 + 4) * 10);
    expect(runs).toBeGreaterThan(0);
  });
});
