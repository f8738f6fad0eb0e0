import { type SchedulerLike, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';

import { monotonicScheduler } from '../../src/system/monotonic.ts';
import { tick$ } from '../../src/sources/tick.ts';

const ticks = (period: number, end: number, disturb: (virtual: SchedulerLike) => SchedulerLike) => {
  const virtual = new VirtualTimeScheduler(undefined, end);
  const scheduler = disturb(virtual);
  const seen: (readonly [number, number])[] = [];
  tick$(period, scheduler).subscribe((tick) => seen.push([tick, scheduler.now()]));
  virtual.flush();
  return seen;
};

describe('Ticks', () => {
  it('do not drift where the clock starts at an odd time and timers fire early or late', () => {
    let turn = 0;
    const seen = ticks(1000, 100_900, (virtual) => ({
      now: () => virtual.now() + 0.123456789,
      schedule: (work, wait, state) =>
        virtual.schedule(work, Math.max(0, Number(wait) + Number([-0.9, 0, 30, 700][turn++ % 4])), state as never),
    }));
    expect(seen.map(([tick]) => tick)).toEqual(Array.from({ length: 101 }, (_, tick) => tick));
    for (const [tick, at] of seen) expect(Math.abs(at - tick * 1000)).toBeLessThan(1000);
    expect(Math.max(...seen.map(([tick, at]) => at - tick * 1000))).toBeLessThanOrEqual(701);
  });

  it('FAULTS 54: are not made up for: after a stop of many periods comes one tick, with the number of the grid, then the grid', () => {
    // The process is stopped from 2.5 s to 62.7 s: a timer that was due meanwhile fires when the process continues.
    const seen = ticks(1000, 65_500, (virtual) => ({
      now: () => virtual.now(),
      schedule: (work, wait, state) => {
        const due = virtual.now() + Number(wait);
        return virtual.schedule(work, (due > 2500 && due < 62_700 ? 62_700 : due) - virtual.now(), state as never);
      },
    }));
    expect(seen).toEqual([
      [0, 0],
      [1, 1000],
      [2, 2000],
      [62, 62_700],
      [63, 63_000],
      [64, 64_000],
      [65, 65_000],
    ]);
  });

  it('FAULTS 53: keep their rhythm while the wall clock jumps by days', async () => {
    const DAY = 86_400_000;
    const start = performance.now();
    const seen: number[] = [];
    vi.useFakeTimers({ toFake: ['Date'] });
    const running = tick$(100, monotonicScheduler).subscribe((tick) => {
      seen.push(tick);
      vi.setSystemTime(Date.now() + (tick % 2 === 0 ? DAY : -3 * DAY));
    });
    try {
      while (performance.now() - start < 1050) await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      running.unsubscribe();
      vi.useRealTimers();
    }
    // A busy machine skips points of the grid; ticks still come in order, without repeats.
    expect(seen.length).toBeGreaterThan(3);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(Math.max(...seen)).toBeGreaterThanOrEqual(8);
    expect(Math.max(...seen)).toBeLessThanOrEqual(12);
  });
});
