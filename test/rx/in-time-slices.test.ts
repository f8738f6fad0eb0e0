import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { inTimeSlices$ } from '../../src/rx/in-time-slices.ts';

/** Returns what happens in order, while items take these milliseconds each and another task waits. */
const happens = (...durations: readonly number[]): readonly string[] => {
  const scheduler = new VirtualTimeScheduler();
  const seen: string[] = [];
  const work = (duration: number): string => {
    scheduler.frame += duration;
    seen.push(`works ${duration}`);
    return `result ${duration}`;
  };
  inTimeSlices$(durations, work, scheduler).subscribe({
    next: (result) => seen.push(result),
    complete: () => seen.push('complete'),
  });
  scheduler.schedule(() => seen.push('another'));
  scheduler.flush();
  return seen;
};

describe('inTimeSlices$', () => {
  it('works on all items that fit into a slice at once, and emits the results', () => {
    expect(happens(1, 1)).toEqual(['works 1', 'works 1', 'result 1', 'result 1', 'complete', 'another']);
  });

  it('gives others a turn after a slice, and goes on where it was', () => {
    const [first, second, third] = ['works 2, works 1, result 2, result 1', 'works 5, result 5', 'works 0, result 0'];
    expect(happens(2, 1, 5, 0).join(', ')).toBe([first, second, 'another', third, 'complete'].join(', '));
  });

  it('completes at once without items', () => {
    expect(happens()).toEqual(['complete', 'another']);
  });

  it('stops between two slices when it is unsubscribed', () => {
    const scheduler = new VirtualTimeScheduler();
    const seen: number[] = [];
    const running = inTimeSlices$(
      [1, 2, 3],
      (item) => (scheduler.frame += 2) && seen.push(item),
      scheduler,
    ).subscribe();
    running.unsubscribe();
    scheduler.flush();
    expect(seen).toEqual([1, 2]);
  });
});
