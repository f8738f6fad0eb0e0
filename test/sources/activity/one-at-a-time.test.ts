import { NEVER, of, Subject, throwError, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { oneAtATime } from '../../../src/sources/activity/one-at-a-time.ts';

const stage = () => {
  const clock = new VirtualTimeScheduler();
  const ask = oneAtATime(clock);
  const log: string[] = [];
  /** Asks, and logs the answer and its end. */
  const asked = (name: string, question$ = new Subject<string>()) => {
    ask(question$, () => log.push(`${name} is overdue`)).subscribe({
      next: (answer) => log.push(`${name}: ${answer}`),
      error: (error: unknown) => log.push(`${name} fails: ${String(error)}`),
      complete: () => log.push(`${name} ends`),
    });
    return { question$ };
  };
  return { clock, ask, log, asked };
};

describe('Questions one at a time', () => {
  it('are asked in order, each after the end of the one before', () => {
    const { asked, log } = stage();
    const a = asked('a');
    const b = asked('b');
    expect([a.question$.observed, b.question$.observed]).toEqual([true, false]);
    a.question$.next('1');
    a.question$.complete();
    expect(b.question$.observed).toBe(true);
    b.question$.next('2');
    b.question$.complete();
    expect(log).toEqual(['a: 1', 'a ends', 'b: 2', 'b ends']);
  });

  it('have no answer while one hangs, which goes on', () => {
    const { clock, asked, log } = stage();
    const a = asked('a');
    const b = asked('b');
    clock.maxFrames = 999;
    clock.flush();
    expect(log).toEqual([]);
    clock.maxFrames = 1000;
    clock.flush();
    expect(log).toEqual(['a is overdue', 'a: undefined', 'a ends', 'b: undefined', 'b ends']);
    expect([a.question$.observed, b.question$.observed]).toEqual([true, false]);
    a.question$.complete();
    log.length = 0;
    const c = asked('c');
    c.question$.next('3');
    c.question$.complete();
    expect(log).toEqual(['c: 3', 'c ends']);
  });

  it('go on after one that fails, or hangs and then fails', () => {
    const { clock, ask, log } = stage();
    ask(
      throwError(() => 'away'),
      () => undefined,
    ).subscribe({ error: (error: unknown) => log.push(`fails: ${String(error)}`) });
    const hangs$ = new Subject<never>();
    ask(hangs$, () => undefined).subscribe();
    clock.flush();
    hangs$.error('away');
    ask(of('1'), () => undefined).subscribe((answer) => log.push(String(answer)));
    expect(log).toEqual(['fails: away', '1']);
  });

  it('are not asked if nobody waits for the answer any more', () => {
    const { clock, ask, log } = stage();
    ask(NEVER, () => undefined).subscribe();
    const question$ = new Subject<string>();
    ask(question$, () => log.push('overdue'))
      .subscribe()
      .unsubscribe();
    clock.flush();
    expect(question$.observed).toBe(false);
    expect(log).toEqual([]);
  });
});
