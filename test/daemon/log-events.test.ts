import { Subject, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { DaemonEvent, Setup } from '../../src/daemon/events.ts';
import { logEvents } from '../../src/daemon/log-events.ts';
import type { ConfiguredSink } from '../../src/sinks/index.ts';
import type { SinkReport } from '../../src/sinks/sink.ts';
import type { ConnectionState } from '../../src/sources/libvirt/reconnect.ts';
import { snapshot } from '../../src/testing/snapshots.ts';
import { fakeConnection } from '../sources/fake-libvirt.ts';

const sink = (key: string): ConfiguredSink => ({ key, name: `sink ${key}`, required: true, run: () => new Subject() });
const setupOf = (...sinks: readonly ConfiguredSink[]): Setup => ({ config: {} as Setup['config'], sinks });

/** Returns the log of events in virtual time; each of `lines` starts with its second. */
const logged = () => {
  const time = new VirtualTimeScheduler();
  const event$ = new Subject<DaemonEvent>();
  const lines: string[] = [];
  const log = (level: string, component: string, message: string): void =>
    void lines.push(`${time.now() / 1000} ${level} ${component}: ${message}`);
  event$.pipe(logEvents({ log, scheduler: time, file: '/etc/vhostmd.conf' })).subscribe();
  const emit = (event: DaemonEvent): void => event$.next(event);
  return {
    lines,
    emit,
    publish: (setup: Setup): void => emit({ kind: 'published', setup, snapshot: snapshot(0) }),
    report: (of: ConfiguredSink, report: SinkReport): void => emit({ kind: 'report', sink: of, report }),
    at: (seconds: number, work: () => void): void => void time.schedule(work, seconds * 1000),
    flush: (): void => time.flush(),
  };
};
const FAILED: SinkReport = { kind: 'failed', stage: 'write', message: 'No space' };
const WRITTEN: SinkReport = { kind: 'written', snapshot: snapshot(0), message: 'Written' };

describe('the log', () => {
  it('has a line for how a reload ends, and none for its begin', () => {
    const { lines, emit } = logged();
    emit({ kind: 'reload', reload: { kind: 'loading' } });
    emit({ kind: 'reload', reload: { kind: 'refused', reason: 'a mistake' } });
    emit({ kind: 'reload', reload: { kind: 'loading' } });
    emit({ kind: 'reload', reload: { kind: 'loaded', setup: setupOf() } });
    expect(lines).toEqual([
      '0 err configuration: Not reloaded: the former configuration stays in force',
      '0 notice configuration: Reloading /etc/vhostmd.conf',
    ]);
  });

  it('has the connection to libvirt of each configuration, once', () => {
    const { lines, emit, publish } = logged();
    const [first, second] = [setupOf(), setupOf()];
    const up: ConnectionState = { up: true, connection: fakeConnection({}) };
    for (const setup of [first, first, second]) emit({ kind: 'linked', setup, link: up });
    publish(second);
    emit({ kind: 'linked', setup: second, link: up });
    expect(lines).toEqual(
      Array.from({ length: 2 }, () => expect.stringContaining('notice libvirt: Connected to FAKE')),
    );
  });

  it('CASE B10: paces each sink by itself', () => {
    const { lines, report, at, flush } = logged();
    const [one, two] = [sink('one'), sink('two')];
    for (let second = 0; second < 100; second += 10) {
      at(second, () => report(one, second % 20 === 0 ? FAILED : WRITTEN));
    }
    at(15, () => report(two, FAILED));
    flush();
    expect(lines.filter((line) => line.includes('sink two'))).toEqual(['15 err sink two: No space']);
    expect(lines.filter((line) => line.includes('err sink one')).length).toBeLessThan(3);
  });

  it('CASE B10: drops the lines of a sink that are held back when a reload closes it', () => {
    const run = (closes: boolean): readonly string[] => {
      const { lines, report, publish, at, flush } = logged();
      const [one, two] = [sink('one'), sink('two')];
      at(0, () => publish(setupOf(one, two)));
      for (const second of [1, 3]) at(second, () => report(one, FAILED));
      for (const second of [2, 4]) at(second, () => report(one, WRITTEN));
      at(5, () => report(one, { ...FAILED, message: 'No disk' }));
      at(6, () => publish(closes ? setupOf(two) : setupOf(one, two)));
      flush();
      return lines.filter((line) => Number(line.split(' ')[0]) > 6);
    };
    expect(run(false)).toEqual([expect.stringContaining('err sink one: No disk')]);
    expect(run(true)).toEqual([]);
  });

  it('goes on when a sink of that key is opened again', () => {
    const { lines, report, publish } = logged();
    const one = sink('one');
    publish(setupOf(one));
    report(one, FAILED);
    publish(setupOf());
    publish(setupOf(one));
    report(one, FAILED);
    expect(lines).toEqual(['0 err sink one: No space', '0 err sink one: No space']);
  });
});
