import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { logReports } from '../../src/daemon/log-sinks.ts';
import type { SinkReport } from '../../src/sinks/sink.ts';
import { snapshot } from '../../src/testing/snapshots.ts';
import { virtualTime } from '../sources/fake-libvirt.ts';

const OPENED: SinkReport = { kind: 'opened', message: 'Opened' };
const FAILED: SinkReport = { kind: 'failed', stage: 'write', message: 'no space' };
const written = (bytes = 8, message = 'Written'): SinkReport => ({
  kind: 'written',
  snapshot: snapshot(1),
  message,
  bytes,
});

/** Logs one report a second; `passed` are the reports that it emits. */
const stage = (debug = false) => {
  const { scheduler } = virtualTime(Infinity);
  const report$ = new Subject<SinkReport>();
  const lines: string[] = [];
  const passed: SinkReport[] = [];
  const log = (level: string, component: string, message: string): void => {
    if (debug || level !== 'debug') lines.push(`${level} ${component}: ${message}`);
  };
  const subscription = report$.pipe(logReports('disk', { log, scheduler })).subscribe((report) => passed.push(report));
  const wait = (seconds: number): void => {
    scheduler.maxFrames = scheduler.now() + seconds * 1000;
    scheduler.schedule(() => undefined, seconds * 1000);
    scheduler.flush();
  };
  const reports = (...all: readonly SinkReport[]): void => {
    for (const report of all) {
      report$.next(report);
      wait(1);
    }
  };
  return { lines, passed, reports, wait, leave: () => subscription.unsubscribe() };
};

describe('The log of a sink', () => {
  it('CASE B10: has its opening, its failure and its return at once, and warnings whenever they come', () => {
    const { lines, reports } = stage();
    reports(OPENED, FAILED, { kind: 'warning', message: 'full' }, { kind: 'warning', message: 'full' }, written());
    expect(lines).toEqual([
      'info disk: Opened',
      'err disk: no space',
      'warning disk: full',
      'warning disk: full',
      'notice disk: Recovered after 3.0 s',
    ]);
  });

  it('counts the time of a recovery from the first failure, though the sink opens again in between', () => {
    const { lines, reports } = stage();
    reports(FAILED, OPENED, FAILED, written(), written());
    expect(lines.at(-1)).toContain('notice disk: Recovered after 3.0 s');
  });

  it('CASE B10: has one line a minute of a sink that fails and works in turns, and ends with what holds', () => {
    const { lines, passed, reports, wait } = stage();
    for (let turn = 0; turn < 20; turn += 1) reports(FAILED, written());
    reports(FAILED);
    expect(lines).toEqual(['err disk: no space', 'notice disk: Recovered after 1.0 s']);
    expect(passed).toHaveLength(41);
    wait(60);
    expect(lines.slice(2)).toEqual(['err disk: no space (38 changes before it not logged)']);
    reports(written());
    wait(600);
    expect(lines.slice(3)).toEqual([expect.stringMatching(/^notice disk: Recovered after \d+\.0 s$/)]);
  });

  it('CASE B10: has nothing of a sink that is closed', () => {
    const { lines, reports, wait, leave } = stage();
    reports(FAILED, written(), FAILED);
    leave();
    wait(600);
    expect(lines).toHaveLength(2);
  });

  it('has each update at level debug, but one that writes nothing only when that changes', () => {
    const { lines, reports } = stage(true);
    reports(written(8), written(8), written(0, 'Nobody'), written(0, 'Nobody'), written(0, 'None'), written(8));
    expect(lines.map((line) => /^debug disk: (\w+), -?\d+\.\d ms$/.exec(line)?.[1])).toEqual([
      'Written',
      'Written',
      'Nobody',
      'None',
      'Written',
    ]);
  });
});
