import { describe, expect, it } from 'vitest';

import type { MetricDefinition, Outcome } from '../../../src/model/metric.ts';
import { readOutput } from '../../../src/sources/action/output.ts';
import { actionMetric } from './requests.ts';

const read = (output: string, metric: Partial<MetricDefinition>): Outcome =>
  readOutput(actionMetric('true', metric), output);
const reason = (outcome: Outcome): string => (outcome.ok ? JSON.stringify(outcome.samples) : outcome.reason);
const values = (outcome: Outcome): readonly string[] =>
  outcome.ok ? outcome.samples.map(({ value }) => value) : [outcome.reason];

describe('the output of a plain metric', () => {
  it('is one sample with the name, type and unit of the configuration', () => {
    expect(read(' 12\n', { type: 'uint32', name: 'N', unit: 'MiB' })).toEqual({
      ok: true,
      samples: [{ name: 'N', type: 'uint32', unit: 'MiB', value: '12' }],
    });
    expect(read('x', {})).toEqual({ ok: true, samples: [{ name: 'Test', type: 'string', value: 'x' }] });
  });

  it.each(['string', 'int32', 'real64', 'group', 'xml'] as const)(
    'FAULTS 15: that is empty or white space is no %s',
    (type) => {
      for (const output of ['', ' ', '\n\t\r\n'])
        expect(read(output, { type })).toEqual({ ok: false, stage: 'output', reason: 'printed nothing' });
    },
  );

  it('FAULTS 16: that does not fit its type is refused with what it was', () => {
    for (const output of ['NaN', '1,5', '0x10', 'error: failed'])
      expect(read(output, { type: 'uint64' })).toEqual({
        ok: false,
        stage: 'output',
        reason: `"${output}" is not a number for uint64`,
      });
    expect(reason(read('18446744073709551616', { type: 'uint64' }))).toContain('out of range for uint64');
    expect(reason(read('1e999', { type: 'real64' }))).toContain('out of range for real64');
  });

  it('CASE B6: with a unit behind the number is the number, with a note on how to write it', () => {
    expect(read('2.5s\n', { type: 'real64', name: 'N' })).toEqual({
      ok: true,
      samples: [{ name: 'N', type: 'real64', value: '2.5' }],
      note:
        'printed "s" behind the number 2.5, which is published without it; print the number alone, ' +
        'and write the unit into the configuration: unit="s"',
    });
    expect(read('1024 KiB', { type: 'uint64', name: 'N', unit: 'KiB' })).toMatchObject({
      samples: [{ name: 'N', type: 'uint64', unit: 'KiB', value: '1024' }],
    });
    expect(read('2.5s', { type: 'string' })).not.toHaveProperty('note');
  });

  it('FAULTS 13: that looks like markup stays text of a value', () => {
    const hostile = ']]></value></metric></metrics><metrics>';
    expect(values(read(hostile, {}))).toEqual([hostile]);
  });
});

describe('the output of a group', () => {
  const group: Partial<MetricDefinition> = {
    type: 'group',
    variables: [
      { name: 'A', type: 'uint32', unit: 'KiB' },
      { name: 'B', type: 'real64' },
      { name: 'C', type: 'string' },
    ],
  };

  it('is one sample for each variable', () => {
    expect(read(' 5, 1.50 ,two words\n', group)).toEqual({
      ok: true,
      samples: [
        { name: 'A', type: 'uint32', unit: 'KiB', value: '5' },
        { name: 'B', type: 'real64', value: '1.50' },
        { name: 'C', type: 'string', value: 'two words' },
      ],
    });
  });

  it('CASE B6: has its numbers without the units behind them, with one note', () => {
    expect(read('5 KiB,1.5s,2.5s', group)).toEqual({
      ok: true,
      samples: [
        { name: 'A', type: 'uint32', unit: 'KiB', value: '5' },
        { name: 'B', type: 'real64', value: '1.5' },
        { name: 'C', type: 'string', value: '2.5s' },
      ],
      note: expect.stringContaining('printed "KiB"'),
    });
  });

  it.each([
    ['5,1', 'printed 2 fields for 3 variables'],
    ['5', 'printed 1 field for 3 variables'],
    ['5,', 'printed 2 fields for 3 variables'],
    ['5,1,x,y', 'printed 4 fields for 3 variables'],
    ['5,1,x,', 'printed 4 fields for 3 variables'],
    ['5,,x', 'variable B: empty value'],
    [',1,x', 'variable A: empty value'],
    ['5,1,', 'variable C: empty value'],
    ['5,1, ', 'variable C: empty value'],
    ['5,NaN,x', 'variable B: "NaN" is not a number for real64'],
    ['5,1,x\n6,2,y', 'printed several lines where a group takes one'],
  ])('FAULTS 17: %j drops the whole group', (output, why) => {
    expect(read(output, group)).toEqual({ ok: false, stage: 'output', reason: why });
  });
});
