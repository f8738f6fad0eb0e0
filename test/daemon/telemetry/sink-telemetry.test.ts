import { describe, expect, it } from 'vitest';

import { EMPTY_HISTOGRAM, withDuration } from '../../../src/daemon/telemetry/histogram.ts';
import { NEW_SINK, withPublished, withReport } from '../../../src/daemon/telemetry/sink-telemetry.ts';
import type { SinkReport } from '../../../src/sinks/sink.ts';
import { snapshot } from '../../../src/testing/snapshots.ts';

const [older, newer] = [snapshot(1), snapshot(2)];
const newest = { snapshot: newer, at: 100 };
const written = (of = newer): SinkReport => ({ kind: 'written', snapshot: of, message: 'Written' });
const failed = (stage: 'open' | 'write'): SinkReport => ({ kind: 'failed', stage, message: `no ${stage}` });

describe('The telemetry of a sink', () => {
  it('has the time since which it waits: of the first snapshot that it has not written', () => {
    const waiting = withPublished(withPublished(NEW_SINK, 50), 100);
    expect(waiting.waiting).toBe(50);
    const behind = withReport(waiting, written(older), 120, newest);
    expect(behind).toMatchObject({ waiting: 100, writes: 1, write: { sum: 0.07 } });
    const done = withReport(behind, written(), 130, newest);
    expect(done).not.toHaveProperty('waiting');
    expect(done.write.sum).toBeCloseTo(0.1);
  });

  it('has the time since which it fails: of the first failure, until it writes', () => {
    const failing = withReport(withReport(NEW_SINK, failed('open'), 1, newest), failed('write'), 2, newest);
    expect(failing).toMatchObject({
      failures: { open: 1, write: 1 },
      failing: { since: 1, stage: 'write', message: 'no write' },
    });
    const opened = withReport(failing, { kind: 'opened', message: 'Opened' }, 3, newest);
    expect(opened.failing).toBeDefined();
    expect(withReport(opened, written(), 4, newest)).not.toHaveProperty('failing');
  });

  it('has a failure to open until it has opened', () => {
    const failing = withReport(NEW_SINK, failed('open'), 1, newest);
    expect(withReport(failing, { kind: 'opened', message: 'Opened' }, 3, newest)).not.toHaveProperty('failing');
  });

  it('has its latest warning, and the number of warnings', () => {
    const warn = (message: string): SinkReport => ({ kind: 'warning', message });
    const warned = withReport(withReport(NEW_SINK, warn('a'), 1, newest), warn('b'), 2, newest);
    expect(warned).toEqual({ ...NEW_SINK, warnings: 2, warning: { at: 2, message: 'b' } });
  });
});

describe('A histogram', () => {
  it('counts a duration in the first bucket that holds it, and one longer than all in the last', () => {
    const { counts, sum, count } = [1, 1.5, 5000, 6000].reduce(withDuration, EMPTY_HISTOGRAM);
    expect(counts).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    expect(sum).toBeCloseTo(11.0025);
    expect(count).toBe(4);
  });
});
