import { defer, NEVER, of, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { lostWhenSilent$ } from '../../../src/sources/libvirt/liveness.ts';

/** Returns the seconds of the loss and of the probes, in a minute with that many pending calls. */
const run = (onTheWay: number, { answersAt = (_second: number): number => 0, isProbeAnswered = false } = {}) => {
  const clock = new VirtualTimeScheduler();
  const second = (): number => clock.now() / 1000;
  const probes: number[] = [];
  let lost: number | undefined;
  let probesAnswered = 0;
  const counts = () => ({ onTheWay, answered: answersAt(second()) + probesAnswered });
  const probe$ = defer(() => {
    probes.push(second());
    if (isProbeAnswered) probesAnswered += 1;
    return isProbeAnswered ? of('9.0.0') : NEVER;
  });
  const subscription = lostWhenSilent$(counts, probe$, clock).subscribe({ error: () => (lost = second()) });
  clock.schedule(() => subscription.unsubscribe(), 60_000);
  clock.flush();
  return { lost, probes };
};

describe('A connection with calls on the way', () => {
  it('is lost when none comes back for four checks, and is probed at the first', () => {
    expect(run(3)).toEqual({ lost: 25, probes: [10] });
  });

  it('is kept while the probe is answered, although another call hangs', () => {
    const { lost, probes } = run(1, { isProbeAnswered: true });
    expect(lost).toBeUndefined();
    expect(probes.length).toBeGreaterThan(3);
  });

  it('is kept while calls come back, and not even probed', () => {
    expect(run(8, { answersAt: (second) => second })).toEqual({ lost: undefined, probes: [] });
    expect(run(0)).toEqual({ lost: undefined, probes: [] });
  });
});
