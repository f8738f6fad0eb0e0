import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { firstValueFrom, forkJoin, lastValueFrom, merge, toArray, VirtualTimeScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { actions } from '../../../src/sources/action/actions.ts';
import type { Outcome } from '../../../src/model/metric.ts';
import { alive } from '../../support/processes.ts';
import { actionMetric, domainOf, PATH, UUID } from './requests.ts';
import { until } from './wait.ts';

let directory = '';
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'vhostmd-actions-'))));
afterEach(() => rmSync(directory, { recursive: true }));

const lines = (name: string): readonly string[] =>
  existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8').split('\n').filter(Boolean) : [];
const value = (outcome: Outcome): string | undefined => (outcome.ok ? outcome.samples[0]?.value : outcome.reason);
/** Returns an action that logs its start and its end, and ends when the file `go` exists. */
const waiting = (id: number | string): string =>
  `echo + >> ${directory}/log; echo $$ >> ${directory}/pids; while [ ! -e ${directory}/go ]; do sleep 0.02; done; ` +
  `echo - >> ${directory}/log; echo ${id}`;
const go = (): void => writeFileSync(join(directory, 'go'), '');
const request = (command: string, late = false) => ({ metric: actionMetric(command), late });
const mostAtOnce = (): number => {
  let running = 0;
  return Math.max(...lines('log').map((line) => (running += line === '+' ? 1 : -1)));
};

describe('actions', () => {
  it.each([1, 4, 8])(
    'run at most %d at once (with one place for late ones beside a single one)',
    async (maxParallel) => {
      const outcome$For = actions({ path: PATH, maxParallel });
      const all = lastValueFrom(
        forkJoin(Array.from({ length: 20 }, (_, index) => outcome$For(request(waiting(index), index % 3 === 0)))),
      );
      await until(() => lines('log').length >= Math.max(2, maxParallel));
      go();
      expect((await all).map(value)).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
      expect(mostAtOnce()).toBeLessThanOrEqual(Math.max(2, maxParallel));
      expect(mostAtOnce()).toBeGreaterThanOrEqual(Math.min(2, maxParallel));
    },
  );

  it('start in the order of the requests', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 1 });
    const order = Array.from({ length: 12 }, (_, index) => String(index));
    await lastValueFrom(
      forkJoin(order.map((id) => outcome$For(request(`echo $$ ${id} >> ${directory}/order; echo 1`)))),
    );
    // Two run at a time, so their lines may be swapped; the pids give the order of the starts.
    const started = lines('order').map((line) => line.split(' ').map(Number) as [number, number]);
    expect(started.toSorted(([a], [b]) => a - b).map(([, id]) => String(id))).toEqual(order);
  });

  it('FAULTS 20: that were late before never hold up the prompt ones', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 4 });
    const hanging = merge(
      ...Array.from({ length: 10 }, (_, index) => outcome$For(request(waiting(index), true))),
    ).subscribe();
    try {
      await until(() => lines('log').length > 0);
      const prompt = forkJoin(Array.from({ length: 10 }, (_, index) => outcome$For(request(`echo ${index}`))));
      expect((await lastValueFrom(prompt)).map(value)).toEqual(Array.from({ length: 10 }, (_, index) => `${index}`));
      expect(lines('log')).toEqual(['+']);
    } finally {
      hanging.unsubscribe();
    }
  });

  it('that are late are not held up by prompt ones that keep all other places busy', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 4 });
    const busy = merge(...Array.from({ length: 10 }, (_, index) => outcome$For(request(waiting(index)))));
    const late = firstValueFrom(outcome$For(request('echo 5', true)));
    const subscription = busy.subscribe();
    expect(value(await late)).toBe('5');
    subscription.unsubscribe();
  });

  it('that are unsubscribed in the queue never start; one that runs gives its place away', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 1 });
    const running = [1, 2].map((id) => outcome$For(request(waiting(id))).subscribe());
    const queued = [1, 2, 3].map((id) => outcome$For(request(`: > ${directory}/queued; # ${id}`)).subscribe());
    const next = firstValueFrom(outcome$For(request('echo next')));
    await until(() => lines('pids').length === 2);
    queued.forEach((subscription) => subscription.unsubscribe());
    running.forEach((subscription) => subscription.unsubscribe());
    expect(value(await next)).toBe('next');
    expect(existsSync(join(directory, 'queued'))).toBe(false);
    await until(() => lines('pids').every((pid) => !alive(Number(pid))));
  });

  it('have their deadline from the injected clock, and it does not run in the queue', async () => {
    const scheduler = new VirtualTimeScheduler();
    const outcome$For = actions({ path: PATH, maxParallel: 1, scheduler });
    const running = [1, 2].map((id) => firstValueFrom(outcome$For(request(waiting(id)))));
    const queued = firstValueFrom(outcome$For(request('sleep 0.1; echo 3')));
    await until(() => lines('pids').length === 2);
    scheduler.flush();
    expect((await Promise.all(running)).map(value)).toEqual(Array(2).fill('not finished after 5 s; killed'));
    expect(value(await queued)).toBe('3');
  });
});

describe('an action that no signal ends', () => {
  it('has its outcome and gives its place away, but completes only when it is gone', async () => {
    // Signals have no effect, as on a process that is stuck in the kernel.
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    try {
      const outcome$For = actions({ path: PATH, maxParallel: 1 });
      const stuck = { metric: actionMetric(waiting('late'), { timeout: 50 }), late: true };
      const seen: string[] = [];
      outcome$For(stuck).subscribe({
        next: (outcome) => seen.push(value(outcome)!),
        complete: () => seen.push('complete'),
      });
      const next = firstValueFrom(outcome$For(request('echo next', true)));
      expect(value(await next)).toBe('next');
      expect(seen).toEqual(['not finished after 0.05 s; killed, but it has not ended']);
      // The same request does not start a second process.
      expect(value(await firstValueFrom(outcome$For(stuck)))).toBe(seen[0]);
      expect(lines('pids')).toHaveLength(1);
      writeFileSync(join(directory, 'go'), '');
      await until(() => seen.length === 2);
      expect(seen[1]).toBe('complete');
      expect(value(await firstValueFrom(outcome$For({ ...stuck, late: false })))).toBe('late');
    } finally {
      kill.mockRestore();
    }
  });
});

describe('actions with the same text', () => {
  const counting = (): string => `echo run >> ${directory}/runs; sleep 0.2; wc -l < ${directory}/runs`;

  it('run once for all requests at the same time, and again for a later one', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 4 });
    const both = forkJoin([
      outcome$For({ metric: actionMetric(counting(), { name: 'A', type: 'uint32' }), late: false }),
      outcome$For({ metric: actionMetric(counting(), { name: 'B', type: 'string' }), late: true }),
    ]);
    expect(await lastValueFrom(both)).toEqual([
      { ok: true, samples: [{ name: 'A', type: 'uint32', value: '1' }] },
      { ok: true, samples: [{ name: 'B', type: 'string', value: '1' }] },
    ]);
    expect(value(await firstValueFrom(outcome$For(request(counting()))))).toBe('2');
  });

  it('FAULTS 29: never run twice while one of them is slower than who asks', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 4 });
    const all: Promise<Outcome>[] = [];
    for (let tick = 0; tick < 5; tick += 1) {
      all.push(firstValueFrom(outcome$For(request(waiting('done')))));
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    go();
    expect((await Promise.all(all)).map(value)).toEqual(Array(5).fill('done'));
    expect(lines('pids')).toHaveLength(1);
  });

  it('continue while one request is left, and end with the last', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 4 });
    const [first, second] = [1, 2].map(() => outcome$For(request(waiting(1))).subscribe());
    await until(() => lines('pids').length === 1);
    first!.unsubscribe();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(alive(Number(lines('pids')[0]))).toBe(true);
    second!.unsubscribe();
    await until(() => !alive(Number(lines('pids')[0])));
  });

  it('emit once and complete for each, also for one that asks during the answer', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 4 });
    const outcomes = await lastValueFrom(
      merge(outcome$For(request('echo 1')), outcome$For(request('echo 1'))).pipe(toArray()),
    );
    expect(outcomes.map(value)).toEqual(['1', '1']);
  });

  it('run for each VM, since each has its own environment', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 4 });
    const metric = actionMetric('echo "$VHOSTMD_VM_NAME $VHOSTMD_VM_UUID $VHOSTMD_VM_ID"', { context: 'vm' });
    const other = domainOf('b', { uuid: UUID.replace('6', '7'), id: 8 });
    const outcomes = await lastValueFrom(
      forkJoin([domainOf('a'), other].map((domain) => outcome$For({ metric, domain, late: false }))),
    );
    expect(outcomes.map(value)).toEqual([`a ${UUID} 7`, `b ${other.uuid} 8`]);
  });

  it('run for each deadline', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 4 });
    const outcomes = await lastValueFrom(
      forkJoin(
        [100, 5000].map((timeout) => outcome$For({ metric: actionMetric(counting(), { timeout }), late: false })),
      ),
    );
    expect(value(outcomes[0]!)).toBe('not finished after 0.1 s; killed');
    expect(value(outcomes[1]!)).toBe('2');
  });
});

describe('the connection', () => {
  it('is an option of virsh in the text, and in the environment', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 4, connect: "x'$(id)" });
    expect(value(await firstValueFrom(outcome$For(request('echo CONNECT; echo "$VHOSTMD_CONNECT"'))))).toBe(
      "--connect x'$(id)\nx'$(id)",
    );
  });
});
