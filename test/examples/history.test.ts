import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { asyncScheduler, BehaviorSubject } from 'rxjs';
import sqlite from 'node-sqlite3-wasm';
import { afterEach, describe, expect, it } from 'vitest';

import type { Snapshot } from '../../src/model/metric.ts';
import { ofDomain, sample, snapshot } from '../../src/testing/snapshots.ts';
import { until } from '../support/daemon.ts';
import { exampleFile, loadExample, makeExample, testing } from './example.ts';

const { sinkContract } = await testing();

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const newFile = (): string => {
  const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-history-'));
  closing.push(() => rmSync(directory, { recursive: true, force: true }));
  return path.join(directory, 'history.sqlite');
};

interface Row {
  readonly since: number;
  readonly until: number | null;
  readonly uuid: string;
  readonly domain: string;
  readonly metric: string;
  readonly value: string;
}

const rowsOf = (file: string): readonly Row[] => {
  const database = new sqlite.Database(file, { readOnly: true });
  try {
    return database.all('SELECT * FROM history ORDER BY rowid') as unknown as readonly Row[];
  } finally {
    database.close();
  }
};

const started = async (file: string, first: Snapshot, options: Readonly<Record<string, unknown>> = {}) => {
  const snapshots = new BehaviorSubject(first);
  const reports: string[] = [];
  const sink = await makeExample('history.js', { file, ...options });
  const subscription = sink.run(snapshots).subscribe(({ kind, message }) => reports.push(`${kind}: ${message}`));
  closing.push(() => subscription.unsubscribe());
  const written = (): number => reports.filter((report) => report.startsWith('written')).length;
  return { snapshots, reports, written, stop: () => subscription.unsubscribe() };
};

/** Runs the query as a user does; returns its exit status and its output. */
const query = async (...args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> =>
  await new Promise((resolve) => {
    execFile(process.execPath, [exampleFile('history-query.js'), ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr }),
    );
  });

// Returns a snapshot of this moment, by the wall clock, which the example uses.
const now = (host: string, domainMetrics: Parameters<typeof snapshot>[2] = []): Snapshot => ({
  ...snapshot(1, [sample('Load', host)], domainMetrics),
  at: asyncScheduler.now(),
});

describe('the example history.js keeps the contract of a sink: it', () => {
  const make = async () => {
    const file = newFile();
    // As another process does while it writes.
    const lock = () => {
      mkdirSync(`${file}.lock`);
      return () => rmSync(`${file}.lock`, { recursive: true });
    };
    return {
      sink: await makeExample('history.js', { file }),
      hold: lock,
      fail: lock,
      target: () =>
        rowsOf(file)
          .map(({ value }) => value)
          .join('\n'),
    };
  };
  for (const { name, run } of sinkContract(make)) it(name, run);
});

describe('the example history.js', () => {
  it('stores a value when it changes, and until when it was valid', async () => {
    const file = newFile();
    const sink = await started(file, { ...snapshot(1, [sample('Load', '1'), sample('Name', 'h')]), at: 1000 });
    sink.snapshots.next({ ...snapshot(2, [sample('Load', '1'), sample('Name', 'h')]), at: 2000 });
    sink.snapshots.next({ ...snapshot(3, [sample('Load', '2'), sample('Name', 'h')]), at: 3000 });
    sink.snapshots.next({ ...snapshot(4, [sample('Name', 'h')]), at: 4000 });
    expect(sink.reports.map((report) => report.replace(file, 'FILE'))).toEqual([
      'opened: Recording to FILE',
      'written: 2 values have changed',
      'written: 0 values have changed',
      'written: 1 values have changed',
      'written: 0 values have changed',
    ]);
    expect(rowsOf(file).map(({ since, until: end, metric, value }) => [metric, value, since, end])).toEqual([
      ['Load', '1', 1000, 3000],
      ['Name', 'h', 1000, null],
      ['Load', '2', 3000, 4000],
    ]);
  });

  it('deletes values that are older than the limit, but not those that are still valid', async () => {
    const file = newFile();
    const sink = await started(file, { ...snapshot(1, [sample('A', '1'), sample('B', '1')]), at: 0 }, { keep: '10s' });
    sink.snapshots.next({ ...snapshot(2, [sample('A', '2'), sample('B', '1')]), at: 5000 });
    sink.snapshots.next({ ...snapshot(3, [sample('A', '3'), sample('B', '1')]), at: 15_000 });
    expect(rowsOf(file)).toHaveLength(4);
    sink.snapshots.next({ ...snapshot(4, [sample('A', '3'), sample('B', '1')]), at: 15_001 });
    expect(rowsOf(file).map(({ metric, value }) => `${metric}=${value}`)).toEqual(['B=1', 'A=2', 'A=3']);
  });

  it('ends values that were valid when the last daemon ended, at its last snapshot', async () => {
    const file = newFile();
    const before = await started(file, { ...snapshot(1, [sample('A', '1')]), at: 1000 });
    before.snapshots.next({ ...snapshot(2, [sample('A', '1')]), at: 2000 });
    before.stop();
    await started(file, { ...snapshot(1, [sample('A', '1')]), at: 9000 });
    expect(rowsOf(file).map(({ since, until: end }) => [since, end])).toEqual([
      [1000, 2000],
      [9000, null],
    ]);
  });

  it.each(['before it opens', 'while it writes'])('removes a lock that was left %s, if it is old', async (when) => {
    const file = newFile();
    const early = when === 'before it opens';
    if (early) mkdirSync(`${file}.lock`);
    const sink = await started(file, now('1'));
    if (!early) {
      expect(sink.written()).toBe(1);
      mkdirSync(`${file}.lock`);
      sink.snapshots.next(now('2'));
    }
    const { length } = sink.reports;
    await until('a failure', () => /^failed: .*locked/.test(sink.reports.at(-1) ?? ''));
    await sleep(100);
    expect(sink.written()).toBe(early ? 0 : 1);
    utimesSync(`${file}.lock`, new Date(0), new Date(0));
    await until('it writes', () => sink.reports.at(-1)?.startsWith('written') === true);
    expect(sink.reports.length).toBeLessThanOrEqual(length + 3);
  });

  it('says where a database cannot be, and takes no relative path', async () => {
    const sink = await started('/nowhere/history.sqlite', now('1'));
    await until('a failure', () => sink.reports.some((report) => /^failed: .*\/nowhere\/history.sqlite/.test(report)));
    const { default: definition } = await loadExample<{
      readonly default: { readonly options: Record<string, { readonly check: (text: string) => string | undefined }> };
    }>('history.js');
    expect(definition.options['file']?.check('history.sqlite')).toBe('a path with / in front');
    expect(definition.options['keep']?.check('30')).toBe('a time like 30d, 12h, 90m or 600s');
    expect(definition.options['keep']?.check('2h')).toBe(undefined);
  });
});

describe('the query of the history', () => {
  const iso = (time: number): string => new Date(time).toISOString();

  it('prints the values of a guest at a time, by its name or uuid, and none of another', async () => {
    const file = newFile();
    const one = {
      ...ofDomain(1, { ...sample('CPU', '5'), unit: 's' }),
      domain: { ...ofDomain(1).domain, name: 'web\u001b[2J' },
    };
    const two = ofDomain(2, sample('CPU', 'other'));
    const sink = await started(file, now('0.5', [one, two]));
    const first = Date.now();
    await sleep(1100);
    sink.snapshots.next(now('0.7', [one, two]));
    sink.stop();
    const early = await query(file, 'web\u001b[2J', iso(first));
    expect(early.text.split('\n').map((line) => line.replace(/ at .*|  \(since .*/, ''))).toEqual([
      `web?[2J (${one.domain.uuid})`,
      'vm   CPU = 5 s',
      'host Load = 0.5',
      '',
    ]);
    expect(early.code).toBe(0);
    const local = new Date(Date.now() + 1000).toTimeString().slice(0, 8);
    await sleep(1100);
    const late = await query(file, one.domain.uuid, local);
    expect(late.text).toContain('host Load = 0.7');
    expect(late.text).toContain(local.slice(0, 5));
    expect(late.text).not.toContain('other');
  });

  it('says that it has no values for a time, and since when it has some', async () => {
    const file = newFile();
    const sink = await started(file, now('1', [ofDomain(1, sample('CPU', '5'))]));
    sink.stop();
    const before = await query(file, 'vm1', '2001-01-01T00:00');
    expect(before.code).toBe(1);
    expect(before.text).toMatch(
      /^Nothing is known of vm1 at 2001-01-01 00:00:00; it was seen first at 20\S+ \S+ and last at 20/,
    );
    expect((await query(file, 'vm7', '2001-01-01T00:00')).text).toMatch(/^Nothing .* nor at any other time$/m);
  });

  it('prints its usage, and refuses a file that is no database', async () => {
    const file = newFile();
    for (const time of ['25:00', '2001-01-01', 'noon', ''])
      expect(await query(file, 'vm1', time), time).toEqual({ code: 2, text: expect.stringContaining('Usage: ') });
    expect((await query(file, 'vm1', '14:02')).text).toContain(`${file}: `);
    writeFileSync(file, 'x'.repeat(10_000));
    expect((await query(file, 'vm1', '14:02')).text).toContain('not a database');
  });
});
