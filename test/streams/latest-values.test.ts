import { describe, expect, it } from 'vitest';

import type { MetricDefinition, Outcome } from '../../src/model/metric.ts';
import { values } from '../../src/streams/latest-values.ts';

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
    expect(known.view(0, true).samples.map(({ value }) => value)).toEqual(['1', '1a', '2']);
  });

  it('are the same objects while nothing changes, also if the same comes in again', () => {
    const known = values([first]);
    known.put({ metric: first, outcome: ok('1') }, 0);
    const before = known.view(0, true);
    known.put({ metric: first, outcome: ok('1') }, 1);
    expect(known.view(1, true)).toBe(before);
    known.put({ metric: first, outcome: ok('2') }, 1);
    expect(known.view(1, true).samples).not.toBe(before.samples);
  });

  it.each([{ name: 'other' }, { type: 'int32' }, { unit: 'KiB' }] as const)(
    'are new objects where the same number has another name, type or unit: %j',
    (change) => {
      const sample = { name: 'n', type: 'uint32', value: '1' } as const;
      const known = values([first]);
      known.put({ metric: first, outcome: { ok: true, samples: [sample] } }, 0);
      known.view(0, true);
      known.put({ metric: first, outcome: { ok: true, samples: [{ ...sample, ...change }] } }, 1);
      expect(known.view(1, true).samples).toEqual([{ ...sample, ...change }]);
    },
  );

  it('name the failed metric and the reason, and lose the value', () => {
    const known = values([first, second]);
    known.put({ metric: first, outcome: ok('1') }, 0);
    known.put({ metric: second, outcome: ok('2') }, 0);
    known.put({ metric: first, outcome: failed }, 1);
    const { samples, missing } = known.view(1, true);
    expect(samples.map(({ value }) => value)).toEqual(['2']);
    expect(missing).toEqual([{ metric: first, stage: 'run', reason: 'exit 1' }]);
  });

  it('CASE B10: stay while their source is there, and are named late once they are three periods old', () => {
    const known = values([first]);
    known.put({ metric: first, outcome: ok('1') }, 4);
    expect(known.view(6, true)).toMatchObject({ samples: [{ value: '1' }], late: [] });
    const late = known.view(7, true);
    expect(late).toMatchObject({ samples: [{ value: '1' }], missing: [], late: [{ metric: first, tick: 4 }] });
    expect(known.view(100, true)).toBe(late);
    known.put({ metric: first, outcome: ok('1') }, 100);
    expect(known.view(100, true)).toMatchObject({ samples: [{ value: '1' }], missing: [], late: [] });
  });

  it('are left out once they are too old where their source has gone, and live again with the next one', () => {
    const known = values([first]);
    known.put({ metric: first, outcome: ok('1') }, 4);
    expect(known.view(6, false).samples).toHaveLength(1);
    expect(known.view(7, true).samples).toHaveLength(1);
    expect(known.view(7, false)).toEqual({
      samples: [],
      missing: [{ metric: first, stage: 'run', reason: 'no new value for 3 periods' }],
      late: [],
    });
    known.put({ metric: first, outcome: ok('1') }, 7);
    expect(known.view(7, false)).toMatchObject({ samples: [{ value: '1' }], missing: [] });
  });
});
