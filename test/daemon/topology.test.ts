import { concatMap, connect, type Observable, Subject, type Subscription, tap } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';

import { readConfig } from '../../src/config/parse.ts';
import type { Setup } from '../../src/daemon/events.ts';
import { logEvents } from '../../src/daemon/log-events.ts';
import { daemon$ } from '../../src/daemon/topology.ts';
import type { Snapshot } from '../../src/model/metric.ts';
import type { Log } from '../../src/system/log.ts';
import { monotonicScheduler } from '../../src/system/monotonic.ts';
import type { ConfiguredSink } from '../../src/sinks/index.ts';
import type { SinkReport } from '../../src/sinks/sink.ts';
import { action, HOST, VCPUS } from '../cli/commands/program.ts';
import { scratch, type Scratch, until } from '../support/daemon.ts';

const scratches: Scratch[] = [];
const running: Subscription[] = [];
afterEach(() => {
  for (const subscription of running.splice(0)) subscription.unsubscribe();
  for (const { remove } of scratches.splice(0)) remove();
});

const FAILED: SinkReport = { kind: 'failed', stage: 'write', message: 'No space' };

/** Runs daemon$ on libvirt's embedded driver; `said` has the events of its sinks and its log, in order. */
const daemon = () => {
  const said: string[] = [];
  const setup$ = new Subject<Setup>();
  const sink = (key: string): ConfiguredSink => ({
    name: key,
    key,
    required: false,
    run: (snapshot$: Observable<Snapshot>) =>
      snapshot$.pipe(
        tap({
          subscribe: () => said.push(`${key} opens`),
          next: ({ host }) => said.push(`${key} gets ${host.map(({ name }) => name).join(' ')}`),
          finalize: () => said.push(`${key} closes`),
        }),
        concatMap((snapshot): readonly SinkReport[] => {
          const written = { kind: 'written', snapshot, message: 'Written' } as const;
          return key === 'flaps' ? [FAILED, written, FAILED, written] : [written];
        }),
      ),
  });
  const log: Log = (level, component, message) => {
    if (level !== 'debug') said.push(`${component} ${level} ${message}`);
  };
  const subscription = daemon$(setup$, { connect: 'test:///default', scheduler: monotonicScheduler })
    .pipe(connect(logEvents({ log, scheduler: monotonicScheduler, file: 'vhostmd.conf' })))
    .subscribe();
  running.push(subscription);
  return {
    said,
    setUp: (metrics: string, { keys, period = 1 }: { keys: readonly string[]; period?: number }): void => {
      const made = scratch(metrics, { period });
      scratches.push(made);
      const read = readConfig(made.config);
      if (!read.ok) throw new Error(read.error[0]?.message);
      setup$.next({ config: read.value, sinks: keys.map(sink) });
    },
    stop: () => subscription.unsubscribe(),
    has: async (text: string) => await until(`${text} in\n${said.join('\n')}`, () => said.includes(text)),
    indexOf: (text: string) => said.indexOf(text),
  };
};
const metric = (name: string): string => HOST.replace('HostName', name);

describe('the daemon', () => {
  it('CASE B6: says once for a configuration that an action prints a unit behind its number', async () => {
    const { said, setUp, has } = daemon();
    setUp(action('Tick', 'date +%s%N') + action('Unit', 'echo 2.5s', { type: 'real64' }), { keys: ['a'] });
    await until('three snapshots', () => said.filter((line) => line === 'a gets Tick Unit').length >= 3);
    expect(said.filter((line) => line.includes('printed "s"'))).toHaveLength(1);
    setUp(action('Again', 'echo 1 KiB', { type: 'uint64' }), { keys: ['a'] });
    await has('a gets Again');
    expect(said.filter((line) => line.includes('printed "KiB"'))).toHaveLength(1);
  });

  it('CASE B10: logs a failure and its end once when a sink fails and works in turns', async () => {
    const { said, setUp, has } = daemon();
    setUp(metric('A'), { keys: ['flaps', 'b'] });
    await has('b gets A');
    expect(said.filter((line) => line.startsWith('flaps ') && !/opens|gets/.test(line))).toEqual([
      'flaps err No space',
      expect.stringMatching(/^flaps notice Recovered after \d+\.\d s$/),
    ]);
  });

  it('opens no sink before there is a snapshot, then each gets it', async () => {
    const { said, setUp, has } = daemon();
    setUp(metric('A') + VCPUS, { keys: ['one', 'two'] });
    expect(said.filter((line) => line.includes('opens'))).toEqual([]);
    await has('two gets A');
    expect(said.filter((line) => /^(one|two)/.test(line)).slice(0, 4)).toEqual([
      'one opens',
      'one gets A',
      'two opens',
      'two gets A',
    ]);
  });

  it('keeps a sink that the next setup has too, closes the others, then opens the new ones', async () => {
    const { said, setUp, has, indexOf } = daemon();
    setUp(metric('A'), { keys: ['kept', 'old'] });
    await has('old gets A');
    setUp(metric('B'), { keys: ['new', 'kept'] });
    await has('new gets B');
    await has('kept gets B');
    expect(said.filter((line) => /opens|closes/.test(line))).toEqual([
      'kept opens',
      'old opens',
      'old closes',
      'new opens',
    ]);
    expect(said).not.toContain('new gets A');
    const after = indexOf('kept gets B');
    await until('three more', () => said.slice(after).filter((line) => line === 'kept gets B').length >= 3);
    expect(said.slice(after)).not.toContain('kept gets A');
  });

  it('goes on with the former setup until the next has a snapshot', async () => {
    const { said, setUp, has } = daemon();
    setUp(metric('A'), { keys: ['sink'] });
    await has('sink gets A');
    const before = said.length;
    // The first snapshot of the next setup waits for its action.
    setUp(metric('B') + action('Slow', 'sleep 3; echo 1'), { keys: ['sink'], period: 60 });
    await has('sink gets B Slow');
    const since = said.slice(before).filter((line) => line.startsWith('sink '));
    expect(since.at(-1)).toBe('sink gets B Slow');
    expect(since.length).toBeGreaterThan(1);
    expect(new Set(since.slice(0, -1))).toEqual(new Set(['sink gets A']));
  });

  it('closes all sinks when it is unsubscribed, and emits nothing more', async () => {
    const { said, setUp, has, stop } = daemon();
    setUp(metric('A'), { keys: ['one', 'two'] });
    await has('two gets A');
    stop();
    expect(said.filter((line) => line.includes('closes')).sort()).toEqual(['one closes', 'two closes']);
    const { length } = said;
    await new Promise((resolve) => setTimeout(resolve, 1300));
    expect(said.slice(length)).toEqual([]);
  });

  it('logs which metrics are left out, for each setup again', async () => {
    const { said, setUp, has } = daemon();
    setUp(metric('A') + action('Broken', 'exit 3'), { keys: ['sink'] });
    const lines = (): readonly string[] => said.filter((line) => line.startsWith('metrics warning "Broken"'));
    await until('the first line', () => lines().length === 1);
    setUp(metric('B') + action('Broken', 'exit 3'), { keys: ['sink'] });
    await has('sink gets B');
    await until('the second line', () => lines().length === 2);
    expect(said.filter((line) => line.includes('has a value again'))).toEqual([]);
  });
});
