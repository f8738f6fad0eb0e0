import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { busy$ } from '../../src/system/process/v8.ts';

describe('The compilers of V8', () => {
  const busyAfter = (costs: readonly number[]): readonly number[] => {
    const clock = new VirtualTimeScheduler(undefined, costs.length * 60_000);
    const seen: number[] = [];
    let [minute, cpu] = [0, 5000];
    const cpuTime = (): number => {
      cpu += minute === 0 ? 0 : (costs[minute - 1] ?? 0);
      minute += 1;
      return cpu;
    };
    const life = busy$(cpuTime, clock).subscribe(() => seen.push(clock.frame / 60_000));
    clock.flush();
    life.unsubscribe();
    return seen;
  };

  it('optimise nothing while a minute takes no more than 1 % of a CPU', () => {
    expect(busyAfter([600, 0, 600, 599])).toEqual([]);
  });

  it('optimise after the first minute that takes more', () => {
    expect(busyAfter([100, 601, 5000])).toEqual([2]);
  });
});
