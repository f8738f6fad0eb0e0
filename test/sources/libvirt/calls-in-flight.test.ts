import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { callsInFlight } from '../../../src/sources/libvirt/calls-in-flight.ts';

describe('Calls in flight', () => {
  it('leave the connection idle when the last has come back, with an answer or an error', () => {
    const { counted, idle$ } = callsInFlight();
    const calls = [new Subject<string>(), new Subject<string>()] as const;
    const seen: unknown[] = [];
    for (const call$ of calls)
      counted(call$).subscribe({ next: (answer) => seen.push(answer), error: (e) => seen.push(e) });
    idle$.subscribe(() => seen.push('idle'));
    calls[0].error('failed');
    calls[1].next('answer');
    expect(seen).toEqual(['failed']);
    calls[1].complete();
    expect(seen).toEqual(['failed', 'answer', 'idle']);
  });

  it('are counted until they return, even after unsubscription', () => {
    const { counted, idle$ } = callsInFlight();
    const call$ = new Subject<string>();
    counted(call$).subscribe().unsubscribe();
    const seen: string[] = [];
    idle$.subscribe(() => seen.push('idle'));
    expect(seen).toEqual([]);
    call$.complete();
    expect(seen).toEqual(['idle']);
  });

  it('are none before the first', () => {
    const seen: string[] = [];
    callsInFlight().idle$.subscribe(() => seen.push('idle'));
    expect(seen).toEqual(['idle']);
  });
});
