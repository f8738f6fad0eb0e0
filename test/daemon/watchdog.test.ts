import { describe, expect, it } from 'vitest';

import type { Setup } from '../../src/daemon/events.ts';
import type { TelemetryView } from '../../src/daemon/telemetry/telemetry.ts';
import { type InForce, nextCheck, NO_REPORTS, type Reports } from '../../src/daemon/watchdog.ts';
import { snapshot } from '../../src/testing/snapshots.ts';

const setup = { config: {}, sinks: [{ key: 'disk', required: true }] } as unknown as Setup;
const inForce: InForce = { setup, since: 0 };

/**
 * Returns the figures at `now` after that many ticks at a period of 5 s; a sign of life is due within 2 periods and 5
 * s.
 */
const viewOf = (now: number, ticks: number): TelemetryView =>
  ({ now, period: 5000, snapshots: { tick: ticks }, newest: { snapshot: snapshot(1), at: now } }) as TelemetryView;
const writtenAt = (at: number): Reports =>
  new Map([['disk', { at, last: { kind: 'written', snapshot: snapshot(1), message: 'Written' } }]]);
const failedAt = (at: number): Reports =>
  new Map([['disk', { at, last: { kind: 'failed', stage: 'write', message: 'no space' } }]]);

const before = { ticks: 3, tickAt: 0 };

describe('The watchdog', () => {
  it('notes when it first saw a tick', () => {
    expect(nextCheck(before, viewOf(7000, 4), writtenAt(7000), inForce)).toEqual({ ticks: 4, tickAt: 7000 });
    expect(nextCheck(before, viewOf(7000, 3), writtenAt(7000), inForce)).toEqual(before);
  });

  it('is silent when no tick has come for two periods and the grace', () => {
    const silentAt = (now: number) => nextCheck(before, viewOf(now, 3), writtenAt(now), inForce).silent;
    expect(silentAt(15_000)).toBeUndefined();
    expect(silentAt(15_001)).toBe('no tick has been published');
  });

  it('is silent when a required sink has reported nothing for as long, but not when its report is a failure', () => {
    const silentWith = (reports: Reports, since = 0) =>
      nextCheck(before, viewOf(15_001, 4), reports, { setup, since }).silent;
    expect(silentWith(writtenAt(0))).toBe('a sink has reported nothing');
    expect(silentWith(writtenAt(1))).toBeUndefined();
    expect(silentWith(failedAt(0))).toBeUndefined();
    expect(silentWith(NO_REPORTS)).toBe('a sink has reported nothing');
    expect(silentWith(NO_REPORTS, 1)).toBeUndefined();
  });

  it('waits until the start is done', () => {
    const { newest: _, ...unstarted } = viewOf(60_000, 3);
    expect(nextCheck(before, unstarted, NO_REPORTS, inForce)).toEqual(before);
  });
});
