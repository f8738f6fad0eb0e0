import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { filled, type Measured, merge, type Performance, tables } from '../../bench/performance.ts';

const root = path.join(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/performance.md'), 'utf8');
const data = path.join(root, 'docs/performance.json');

const row = (name: string, date: string, more: Partial<Measured> = {}): Measured => ({
  row: name,
  about: `about ${name}`,
  date,
  load: 0.1,
  seconds: 1,
  telemetry: [{ what: '<stat>: CPU', value: 1.25, unit: 'ms', target: 1, count: 3 }],
  notes: [],
  ...more,
});
const measured: Performance = {
  machine: { cpu: 'a', node: 'v20' },
  rows: [row('busy', '2026-01-01'), row('ticks', '2026-01-01')],
};
const ORDER = ['busy', 'limit', 'ticks'];

describe('docs/performance', () => {
  it('replaces the rows that were measured anew and keeps the others, in the order of the bench', () => {
    const now = { machine: { ...measured.machine }, rows: [row('ticks', '2026-02-02'), row('limit', '2026-02-02')] };
    expect(merge(measured, now, ORDER).rows.map(({ row, date }) => `${row} ${date}`)).toEqual([
      'busy 2026-01-01',
      'limit 2026-02-02',
      'ticks 2026-02-02',
    ]);
    expect(merge(undefined, now, ORDER).rows).toHaveLength(2);
  });

  it('drops the other rows if the machine or its software has changed', () => {
    const now = { machine: { cpu: 'a', node: 'v24' }, rows: [row('limit', '2026-02-02')] };
    expect(merge(measured, now, ORDER)).toEqual(now);
  });

  it('has a table of figures beside their goals, and escapes what markdown reads as an element', () => {
    const figures = tables(measured).get('figures');
    expect(figures).toContain('| ticks | &lt;stat>: CPU | 1.3 ms | ≤ 1 ms | missed | 3 |\n');
  });

  it('has a table of the programs, with the figures that each has', () => {
    const telemetry = [
      { of: 'vhostmd', what: 'CPU of its own', value: 3, unit: 'ms' },
      { of: 'vhostmd', what: 'PSS', value: 30, unit: 'MiB' },
      { of: 'sh', what: 'wall time', value: 4000, unit: 'ms' },
      { what: 'CPU, vhostmd : sh', value: 0.1, unit: 'ratio' },
    ] as const;
    const peers = tables({ ...measured, rows: [row('peers', '2026-01-01', { telemetry })] }).get('peers') ?? '';
    expect(peers.split('\n').slice(-3)).toEqual([
      '| vhostmd | 3.0 ms |  |  |  |  | 30.0 MiB |',
      '| sh |  |  |  | 4000.0 ms |  |  |',
      '',
    ]);
  });

  it('replaces what stands between the markers of the page, and nothing else', () => {
    const before =
      'a\n<!-- machine: begin -->\nold\n<!-- machine: end -->\nb\n<!-- other: begin -->\nc\n<!-- other: end -->\n';
    expect(filled(before, new Map([['machine', 'new\n']]))).toBe(before.replace('old', 'new'));
  });

  it('has a marker on the page for every table', () => {
    for (const name of tables(measured).keys()) expect(page).toContain(`<!-- ${name}: begin -->\n`);
  });

  it('shows on the page the figures of performance.json, and none without it', () => {
    const none = new Map(
      [...tables(measured).keys()].map((name) => [name, '*No figures yet: run `npm run bench -- --write`.*\n']),
    );
    const kept = existsSync(data) ? tables(JSON.parse(readFileSync(data, 'utf8')) as Performance) : none;
    expect(filled(page, kept)).toBe(page);
  });
});
