import { from, toArray, lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain, MetricDefinition, Problem, Snapshot } from '../src/metric.ts';
import { noteLines, problemLines$ } from '../src/problems.ts';

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
const problem = (of: MetricDefinition, reason = 'exit status 1', about?: Domain): Problem => ({
  metric: of,
  stage: 'run',
  reason,
  ...(about === undefined ? {} : { domain: about }),
});
const snapshot = (problems: readonly Problem[], running: readonly Domain[] = []): Snapshot => ({
  cause: 'tick',
  tick: 0,
  at: 0,
  host: [],
  guests: running.map((one) => ({ domain: one, samples: [] })),
  problems,
});
const said = async (...snapshots: readonly Snapshot[]): Promise<readonly string[]> =>
  (await lastValueFrom(problemLines$(from(snapshots)).pipe(toArray()))).map(
    ({ level, message }) => `${level}: ${message}`,
  );

describe('problems of metrics', () => {
  it('are said once, and their end once', async () => {
    const bad = snapshot([problem(metric(0))]);
    const good = snapshot([]);
    expect(await said(good, bad, bad, bad, good, good, bad)).toEqual([
      'warning: "M0" (/etc/x.conf:10) is left out for the host: exit status 1',
      'info: "M0" is back for the host',
      'warning: "M0" (/etc/x.conf:10) is left out for the host: exit status 1',
    ]);
  });

  it('are not said again when only the reason changes', async () => {
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
        snapshot([], domains),
      ),
    ).toEqual([
      'warning: "M1" (/etc/x.conf:11) is left out for the domains "vm1", "vm2", "vm3" and 2 more: empty value',
      'info: "M1" is back for the domains "vm1", "vm2", "vm3" and 2 more',
    ]);
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
