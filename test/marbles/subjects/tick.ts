import { finalize, ignoreElements, merge, type Observable, type SchedulerLike, tap } from 'rxjs';
import { vi } from 'vitest';

import { tick$ } from '../../../src/sources/tick.ts';
import type { Stage } from '../../../src/testing/marbles/stage.ts';

const number = (text: string | undefined, what: string): number => {
  if (text === undefined || !/^\d+$/.test(text)) throw new Error(`expected a number: ${what}`);
  return Number(text);
};

// The scheduler of a busy or stopped process: timers fire `late` ms late, and none between `from` and `to`.
const hindered = (scheduler: SchedulerLike, late: number, from: number, to: number): SchedulerLike => ({
  now: () => scheduler.now(),
  schedule: (work, wait, state) => {
    const delay = wait ?? 0;
    const due = scheduler.now() + delay + (delay > 0 ? late : 0);
    return scheduler.schedule(work, (due >= from && due < to ? to : due) - scheduler.now(), state as never);
  },
});

// Sets the system's clock, which stands still between inputs in virtual time.
const wallClock$ = (on: Stage): Observable<never> =>
  on
    .input$('wall clock', (text) => number(text, 'hours'))
    .pipe(
      tap((hours) => vi.setSystemTime(hours * 3_600_000)),
      ignoreElements(),
      finalize(() => vi.useRealTimers()),
    );

/**
 * `> tick`: emits on `tick`; parameters `period`, `late` and `asleep = from to`, in ms; optional input `wall clock`, in
 * hours.
 */
export const tickSubject = (on: Stage): Observable<unknown> => {
  const late = number(on.parameter('late') ?? '0', 'late');
  const [from, to] = (on.parameter('asleep') ?? '0 0').split(' ');
  const scheduler = hindered(on.scheduler, late, number(from, 'asleep'), number(to, 'asleep'));
  const ticks$ = on.watch$('tick', tick$(number(on.parameter('period'), 'period'), scheduler), String);
  return on.titles(/^wall clock$/).length > 0 ? merge(ticks$, wallClock$(on)) : ticks$;
};
