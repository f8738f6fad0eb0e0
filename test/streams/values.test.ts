import { describe, expect, it } from 'vitest';

import type { MetricDefinition, Outcome } from '../../src/metric.ts';
import { values } from '../../src/streams/values.ts';

const metric = (index: number, every = 1): MetricDefinition => ({
  index,
  name: `m${index}`,
  type: 'uint32',
  context: 'host',
  source: { kind: 'action', command: 'true' },
  variables: [],
  every,
  timeout: 1000,
  place: { file: 'f', line: 1, column: 1 },
});
const ok = (...texts: readonly string[]): Outcome => ({
  ok: true,
  samples: texts.map((value) => ({ name: 'n', type: 'uint32', value })),
});
const failed: Outcome = { ok: false, stage: 'run', reason: 'exit 1' };

describe('values', () => {
  const [first, second] = [metric(0), metric(1)];

  it('keep the order of the configuration, whatever comes in first', () => {
    const known = values([first, second]);
    known.put({ metric: second, outcome: ok('2') }, 0);
    known.put({ metric: first, outcome: ok('1', '1a') }, 0);
    expect(known.view(0).samples.map(({ value }) => value)).toEqual(['1', '1a', '2']);
  });

  it('are the same objects while nothing changes, also if the same comes in again', () => {
    const known = values([first]);
    known.put({ metric: first, outcome: ok('1') }, 0);
    const before = known.view(0);
    known.put({ metric: first, outcome: ok('1') }, 1);
    expect(known.view(1)).toBe(before);
    known.put({ metric: first, outcome: ok('2') }, 1);
    expect(known.view(1).samples).not.toBe(before.samples);
  });

  it('name what failed and why, and the value is gone', () => {
    const known = values([first, second]);
    known.put({ metric: first, outcome: ok('1') }, 0);
    known.put({ metric: second, outcome: ok('2') }, 0);
    known.put({ metric: first, outcome: failed }, 1);
    const { samples, problems } = known.view(1);
    expect(samples.map(({ value }) => value)).toEqual(['2']);
    expect(problems).toEqual([{ metric: first, stage: 'run', reason: 'exit 1' }]);
  });

  it('say so once they are too old, and live again with the next one', () => {
    const known = values([first]);
    known.put({ metric: first, outcome: ok('1') }, 4);
    expect(known.view(6).samples).toHaveLength(1);
    expect(known.view(7)).toEqual({
      samples: [],
      problems: [{ metric: first, stage: 'run', reason: 'no new value for 3 periods' }],
    });
    known.put({ metric: first, outcome: ok('1') }, 7);
    expect(known.view(7)).toMatchObject({ samples: [{ value: '1' }], problems: [] });
  });
});
