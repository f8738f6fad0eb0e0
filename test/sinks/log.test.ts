import { describe, expect, it } from 'vitest';
import { asyncScheduler, NEVER, of, startWith } from 'rxjs';

import type { Snapshot } from '../../src/model/metric.ts';
import { logSink } from '../../src/sinks/log.ts';
import type { LogFormat } from '../../src/sinks/log.ts';
import { describeSinkContract } from './contract.ts';
import { ofDomain, sample, snapshot } from '../../src/testing/snapshots.ts';

const linesOf = (format: LogFormat, value: Snapshot): readonly string[] => {
  const lines: string[] = [];
  const write = (line: string): void => {
    lines.push(line);
  };
  logSink({ format, write, scheduler: asyncScheduler }).run(of(value)).subscribe();
  return lines;
};

describeSinkContract('the log sink', (scheduler) => {
  const lines: string[] = [];
  let broken = false;
  const fail = () => {
    broken = true;
    return () => {
      broken = false;
    };
  };
  const write = (line: string): void => {
    if (broken) throw new Error('EPIPE: broken pipe');
    lines.push(line);
  };
  const sink = logSink({ format: 'lines', write, scheduler, backoff: { first: 10, most: 50 } });
  return { sink, fail, hold: fail, target: () => lines.join('\n') };
});

describe('the log sink', () => {
  it('writes one JSON object per snapshot, values as text so that 64 bits stay exact', () => {
    const value = snapshot(
      3,
      [{ name: 'Big', type: 'uint64', value: '18446744073709551615', unit: 'B' }],
      [ofDomain(2, sample('A', 'x\ny'))],
    );
    const lines = linesOf('json', value);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      cause: 'tick',
      tick: 3,
      host: [{ name: 'Big', type: 'uint64', value: '18446744073709551615', unit: 'B' }],
      vms: [
        {
          id: 2,
          uuid: '6be3fdb8-bef5-6fec-b1b7-000000000002',
          name: 'vm2',
          metrics: [{ name: 'A', type: 'string', value: 'x\ny' }],
        },
      ],
    });
  });

  it('writes one line per metric, the host first', () => {
    const host = [{ name: 'Load', type: 'real64', value: '0.5', unit: '%' } as const];
    expect(linesOf('lines', snapshot(1, host, [ofDomain(2, sample('A', 'b'))]))).toEqual([
      'host Load real64 0.5 %',
      'vm 2 6be3fdb8-bef5-6fec-b1b7-000000000002 vm2 A string b',
    ]);
  });

  it('text of a guest or an action cannot break a line, steer a terminal, or be longer than 512 characters', () => {
    const hostile = { ...ofDomain(2, sample('A', `\u001b[2J${'x'.repeat(1000)}`)) };
    const named = { ...hostile, domain: { ...hostile.domain, name: 'a\nhost Load 9\u202e' } };
    const [line = ''] = linesOf('lines', snapshot(1, [], [named]));
    expect(line).toMatch(/^[ -~]+$/);
    expect(line).toContain('a\\nhost Load 9\\u{202e}');
    expect(line.split(' string ')[1]).toHaveLength(512);
  });

  it('a line that cannot be written is a failure to report, and stops nothing', () => {
    const write = (): void => {
      throw new Error('EPIPE: broken pipe');
    };
    const kinds: string[] = [];
    const sink = logSink({ format: 'json', write, scheduler: asyncScheduler });
    sink
      .run(NEVER.pipe(startWith(snapshot(1))))
      .subscribe(({ kind, message }) => kinds.push(`${kind}: ${message}`))
      .unsubscribe();
    expect(kinds).toEqual(['opened: Log sink opened, format json', 'failed: EPIPE: broken pipe']);
  });
});
