import { from, toArray, lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain, MetricDefinition, MissingValue, Snapshot } from '../../src/model/metric.ts';
import { noteLines, missingLines$ } from '../../src/daemon/log-missing-values.ts';

const metric = (index: number, context: 'host' | 'vm' = 'host'): MetricDefinition => ({
  index,
  name: `M${index}`,
  type: 'string',
  context,
  source: { kind: 'action', command: 'true' },
  variables: [],
  every: 1,
  timeout: 1000,
  place: { file: '/etc/x.conf', line: 10 + index, column: 5 },
});
const domain = (id: number, name = `vm${id}`): Domain => ({ id, uuid: `uuid-${id}`, name });
const problem = (of: MetricDefinition, reason = 'exit status 1', about?: Domain): MissingValue => ({
  metric: of,
  stage: 'run',
  reason,
  ...(about === undefined ? {} : { domain: about }),
});
const snapshot = (missing: readonly MissingValue[], running: readonly Domain[] = []): Snapshot => ({
  cause: 'tick',
  tick: 0,
  at: 0,
  host: [],
  domainMetrics: running.map((one) => ({ domain: one, samples: [] })),
  missing,
});
const MINUTE = 60_000;
const at = (minute: number, of: Snapshot): Snapshot => ({ ...of, at: minute * MINUTE });
const said = async (...snapshots: readonly Snapshot[]): Promise<readonly string[]> =>
  (await lastValueFrom(missingLines$(from(snapshots)).pipe(toArray()))).map(
    ({ level, message }) => `${level}: ${message}`,
  );

describe('problems of metrics', () => {
  it('are logged once, and their end once', async () => {
    const bad = snapshot([problem(metric(0))]);
    const good = snapshot([]);
    expect(await said(good, bad, bad, at(1, bad), at(2, good), at(2, good), at(3, bad))).toEqual([
      'warning: "M0" (/etc/x.conf:10) has no value for the host: exit status 1',
      'info: "M0" has a value again for the host',
      'warning: "M0" (/etc/x.conf:10) has no value for the host: exit status 1',
    ]);
  });

  it('are not logged again when only the reason changes', async () => {
    expect(await said(snapshot([problem(metric(0), 'a')]), snapshot([problem(metric(0), 'b')]))).toHaveLength(1);
  });

  it('of many domains are one line for each metric, with some of the names', async () => {
    const of = metric(1, 'vm');
    const domains = [1, 2, 3, 4, 5].map((id) => domain(id));
    expect(
      await said(
        snapshot(
          domains.map((one) => problem(of, 'empty value', one)),
          domains,
        ),
        at(1, snapshot([], domains)),
      ),
    ).toEqual([
      'warning: "M1" (/etc/x.conf:11) has no value for the domains "vm1", "vm2", "vm3" and 2 more: empty value',
      'info: "M1" has a value again for the domains "vm1", "vm2", "vm3" and 2 more',
    ]);
  });

  it('CASE B10: are one line of a metric in a minute, with what holds by then', async () => {
    const [bad, good] = [snapshot([problem(metric(0))]), snapshot([])];
    const minute = [good, bad, good, bad, good];
    expect(await said(bad, ...minute, at(0.9, bad), at(1, good), at(1.1, bad), at(1.9, good), at(2, good))).toEqual([
      'warning: "M0" (/etc/x.conf:10) has no value for the host: exit status 1',
      'info: "M0" has a value again for the host',
    ]);
    expect(await said(bad, good, at(0.99, good), at(1, good))).toHaveLength(2);
  });

  it('CASE B10: of further domains within a minute are told with the next line, each once', async () => {
    const of = metric(1, 'vm');
    const domains = [1, 2, 3].map((id) => domain(id));
    const failing = (count: number): Snapshot =>
      snapshot(
        domains.slice(0, count).map((one) => problem(of, 'x', one)),
        domains,
      );
    expect(await said(failing(1), failing(2), at(0.5, failing(3)), at(1, failing(3)), at(9, failing(3)))).toEqual([
      'warning: "M1" (/etc/x.conf:11) has no value for the domain "vm1": x',
      'warning: "M1" (/etc/x.conf:11) has no value for the domains "vm2", "vm3": x',
    ]);
  });

  it('CASE B10: name values that are kept although no new ones come', async () => {
    const of = metric(1, 'vm');
    const late = { ...snapshot([], [domain(1)]), late: [{ metric: of, domain: domain(1), tick: 3 }] };
    const lines = [
      'warning: "M1" (/etc/x.conf:11) keeps its last value for the domain "vm1": no new one for 3 periods',
      'info: "M1" has a value again for the domain "vm1"',
    ];
    expect(await said(late, late, at(1, late), at(2, snapshot([], [domain(1)])))).toEqual(lines);
    const missing = snapshot([problem(of, 'x', domain(1))], [domain(1)]);
    expect(await said(late, at(1, missing))).toEqual([lines[0], expect.stringContaining('has no value')]);
  });

  it('CASE B10: of more metrics than twenty at once are counted', async () => {
    const all = Array.from({ length: 100 }, (_, index) => problem(metric(index)));
    const lines = await said(snapshot(all));
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('warning: 80 more metrics have lost or regained values: see vhostmd status');
  });

  it('end without a word when the domain has gone', async () => {
    expect(await said(snapshot([problem(metric(1, 'vm'), 'x', domain(1))], [domain(1)]), snapshot([]))).toHaveLength(1);
  });

  it('show hostile names escaped and cut', async () => {
    const hostile = domain(1, `"\n\u001b[31m${'x'.repeat(300)}`);
    const [line = ''] = await said(snapshot([problem(metric(1, 'vm'), 'x', hostile)], [hostile]));
    expect(line).toContain('\\n\\u{1b}[31mxxx');
    expect(line).toMatch(/^[ -~]{1,200}$/);
  });
});

describe('notes of actions', () => {
  it('CASE B6: are said once for each metric, with its place', () => {
    const lineOf = noteLines();
    const outcome = { ok: true, samples: [], note: 'printed "s" behind the number 2.5' } as const;
    expect(lineOf(metric(0), outcome)).toBe('"M0" (/etc/x.conf:10): its action printed "s" behind the number 2.5');
    expect(lineOf(metric(0), outcome)).toBeUndefined();
    expect(lineOf(metric(1), { ok: true, samples: [] })).toBeUndefined();
    expect(lineOf(metric(1), { ok: false, stage: 'run', reason: 'x' })).toBeUndefined();
    expect(lineOf(metric(1), outcome)).toContain('"M1" (/etc/x.conf:11)');
  });
});
