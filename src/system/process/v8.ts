import { setFlagsFromString } from 'node:v8';

import { first, interval, map, type Observable, pairwise, type SchedulerLike, startWith } from 'rxjs';

import { cpuTime } from './cpu-time.ts';

/** V8's settings for the heap of a process that runs for months. */
export const HEAP_FLAGS = [
  // Ticks leave little garbage, so a growing young generation would only use more memory.
  '--semi-space-growth-factor=1',
  '--max-semi-space-size=1',
  // Whole collections of garbage in each pause between two ticks cost a quarter of the CPU time, and would free 2 MB.
  '--no-memory-reducer',
] as const;

const PERIOD = 60_000;
const BUSY = 0.01;

/** Emits once, after the first minute in which the process has used 1 % of a CPU. `cpu`: its CPU time, in ms. */
export const busy$ = (cpu: () => number, scheduler: SchedulerLike): Observable<boolean> =>
  interval(PERIOD, scheduler).pipe(
    startWith(0),
    map(cpu),
    pairwise(),
    map(([before, now]) => now - before > BUSY * PERIOD),
    first((busy) => busy),
  );

/**
 * Makes the settings of a daemon. Call it after all modules are loaded: with any setting of its own, V8 compiles Node's
 * modules instead of taking them from Node's cache, which takes as long as a fifth of a start of Node.
 */
export const settleV8 = (scheduler: SchedulerLike): void => {
  // Of 12 ms for a tick of 40 VMs, optimising compilers took 5, and their code saved nothing that could be measured.
  for (const flag of [...HEAP_FLAGS, '--no-opt', '--no-maglev']) setFlagsFromString(flag);
  busy$(cpuTime, scheduler).subscribe(() => setFlagsFromString('--opt'));
};
