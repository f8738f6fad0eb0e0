import { map, merge, NEVER, takeUntil, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';

import { type Change, paced } from '../../src/rx/paced.ts';

const CHANGES = {
  opened: { kind: 'opened', detail: '' },
  failed: { kind: 'failed', detail: 'no space' },
  other: { kind: 'failed', detail: 'read-only' },
  works: { kind: 'works', detail: '' },
} satisfies Readonly<Record<string, Change>>;
type Name = keyof typeof CHANGES;
type At = readonly [seconds: number, name: Name];
type Passed = readonly [seconds: number, name: Name, missed?: number];

/** Returns the emitted changes, with their seconds, until the source is unsubscribed at `end`. */
const passed = (changes: readonly At[], end = 10_000): readonly Passed[] => {
  const seen: Passed[] = [];
  const scheduler = new TestScheduler(() => undefined);
  scheduler.run(() => {
    const change$ = changes.map(([at, name]) =>
      timer(at * 1000, scheduler).pipe(map(() => ({ ...CHANGES[name], name }))),
    );
    merge(NEVER, ...change$)
      .pipe(paced(scheduler), takeUntil(timer(end * 1000, scheduler)))
      .subscribe(({ change: { name }, missed }) =>
        seen.push([scheduler.now() / 1000, name, ...(missed === 0 ? [] : [missed])] as unknown as Passed),
      );
  });
  return seen;
};

describe('paced changes', () => {
  it('CASE B10: pass at once when they are the first of their kind', () => {
    const changes: readonly At[] = [
      [0, 'opened'],
      [1, 'failed'],
      [2, 'works'],
    ];
    expect(passed(changes)).toEqual(changes);
  });

  it('CASE B10: that come in turns pass once a minute, the newest, with the number of those between', () => {
    const turns = Array.from({ length: 36 }, (_, nth): At => [7 * nth, nth % 2 === 0 ? 'failed' : 'works']);
    expect(passed(turns)).toEqual([
      [0, 'failed'],
      [7, 'works'],
      // At second 67 the state is as last emitted.
      [127, 'failed', 16],
      [247, 'works', 16],
    ]);
  });

  it('CASE B10: are not repeated when all is as it was when the last passed, and are counted with the next', () => {
    const changes: readonly At[] = [
      [0, 'failed'],
      [1, 'works'],
      [2, 'failed'],
      [3, 'works'],
      [300, 'failed'],
    ];
    expect(passed(changes)).toEqual([
      [0, 'failed'],
      [1, 'works'],
      [300, 'failed', 2],
    ]);
  });

  it('CASE B10: end with what holds', () => {
    const changes: readonly At[] = [
      [0, 'works'],
      [1, 'failed'],
      [2, 'works'],
      [3, 'failed'],
      [4, 'works'],
    ];
    expect(passed(changes).at(-1)).toEqual([61, 'works', 2]);
  });

  it('CASE B10: with another detail pass when the minute is over, and the same again never', () => {
    const changes: readonly At[] = [
      [0, 'failed'],
      [1, 'failed'],
      [2, 'other'],
      [3, 'other'],
    ];
    expect(passed(changes)).toEqual([
      [0, 'failed'],
      [60, 'other'],
    ]);
  });

  it('CASE B10: pass at once again after ten minutes without any', () => {
    const after = (seconds: number): readonly At[] => [
      [0, 'failed'],
      [1, 'works'],
      [1 + seconds, 'failed'],
      [2 + seconds, 'works'],
    ];
    expect(passed(after(600))).toEqual(after(600));
    expect(passed(after(599)).slice(2)).toEqual([
      [600, 'failed'],
      [660, 'works'],
    ]);
  });

  it('CASE B10: that wait are dropped when nobody listens any more', () => {
    const changes: readonly At[] = [
      [0, 'failed'],
      [1, 'works'],
      [2, 'failed'],
    ];
    expect(passed(changes, 60)).toHaveLength(2);
    expect(passed(changes, 62)).toHaveLength(3);
  });
});
