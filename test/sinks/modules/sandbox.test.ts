import { concat, EMPTY, map, NEVER, type Observable, of, Subject, throwError, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Snapshot } from '../../../src/model/metric.ts';
import { sandboxed } from '../../../src/sinks/modules/sandbox.ts';
import type { Sink, SinkReport } from '../../../src/sinks/sink.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';

// An external sink may return anything, whatever its types are.
type Anything = (snapshot$: Observable<Snapshot>) => unknown;

const stage = (run: Anything, end = 10_000) => {
  const scheduler = new VirtualTimeScheduler(undefined, end);
  const snapshots = new Subject<Snapshot>();
  const seen: string[] = [];
  const sink = sandboxed({ name: 'other', run } as Sink, { scheduler, backoff: { first: 100, most: 400 } });
  sink.run(snapshots).subscribe({
    next: ({ kind, message }: SinkReport) => seen.push(`${scheduler.now()} ${kind}: ${message}`),
    error: (error: unknown) => seen.push(`error: ${String(error)}`),
    complete: () => seen.push(`${scheduler.now()} complete`),
  });
  return { scheduler, snapshots, seen };
};

describe("Somebody else's sink", () => {
  it('passes its reports on', () => {
    const { snapshots, seen } = stage((snapshot$) =>
      snapshot$.pipe(map((of) => ({ kind: 'written', snapshot: of, message: 'ok' }))),
    );
    snapshots.next(snapshot(1));
    snapshots.complete();
    expect(seen).toEqual(['0 written: ok', '0 complete']);
  });

  it.each<[string, Anything, string]>([
    [
      'throws',
      () => {
        throw new Error('thrown');
      },
      'thrown',
    ],
    ['fails', () => throwError(() => new Error('broken')), 'broken'],
    ['ends by itself', () => EMPTY, 'The sink completed unexpectedly'],
    ['returns no observable', () => 7, 'You provided'],
  ])('that %s is reported once, and run again with backoff', (_how, run, message) => {
    let runs = 0;
    const { scheduler, seen } = stage((snapshot$) => {
      runs += 1;
      return run(snapshot$);
    }, 2000);
    scheduler.flush();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toContain(`0 failed: ${message}`);
    // At 0, 100, 300, 700, 1100, 1500 and 1900 ms.
    expect(runs).toBe(7);
  });

  it('that has failed and works again is reported again when it fails the next time', () => {
    let runs = 0;
    const { scheduler, snapshots, seen } = stage((snapshot$) => {
      runs += 1;
      if (runs !== 2) return throwError(() => new Error('broken'));
      return snapshot$.pipe(
        map((of, index) => {
          if (index > 0) throw new Error('broken');
          return { kind: 'written', snapshot: of, message: 'ok' };
        }),
      );
    }, 150);
    scheduler.schedule(() => snapshots.next(snapshot(1)), 120);
    scheduler.schedule(() => snapshots.next(snapshot(2)), 130);
    scheduler.flush();
    expect(seen).toEqual(['0 failed: broken', '120 written: ok', '130 failed: broken']);
  });

  it('cannot change the snapshots of other sinks', () => {
    const value = {
      ...snapshot(1, [sample('a', '1')], [ofDomain(1, sample('b', '2'))]),
      domains: [{ uuid: 'u', name: 'n', persistent: true }],
    };
    const attempts: string[] = [];
    const { snapshots } = stage((snapshot$) =>
      snapshot$.pipe(
        map((given) => {
          // An external sink may ignore the types.
          // oxlint-disable-next-line typescript/no-explicit-any
          const open = given as any;
          for (const attempt of [
            () => (open.host = []),
            () => open.host.push(1),
            () => (open.host[0].value = 'x'),
            () => (open.domainMetrics[0].domain.name = 'x'),
            () => (open.domainMetrics[0].samples[0].value = 'x'),
            () => (open.domains[0].name = 'x'),
          ]) {
            try {
              attempt();
              attempts.push('changed');
            } catch {
              attempts.push('refused');
            }
          }
          return { kind: 'warning', message: '' };
        }),
      ),
    );
    snapshots.next(value);
    expect(attempts).toEqual(Array(6).fill('refused'));
  });

  it('may report five times at once and then once a minute, besides its writes', () => {
    const reports = new Subject<unknown>();
    const { scheduler, seen } = stage(() => reports, 100_000);
    const warn = (...messages: readonly number[]) => {
      for (const message of messages) reports.next({ kind: 'warning', message: String(message) });
    };
    scheduler.schedule(() => {
      warn(1, 2, 3, 4, 5, 6, 7);
      reports.next({ kind: 'written', snapshot: snapshot(1), message: 'ok' });
    });
    scheduler.schedule(() => warn(8), 59_999);
    scheduler.schedule(() => warn(9, 10), 60_000);
    scheduler.flush();
    expect(seen).toEqual([
      ...[1, 2, 3, 4, 5].map((message) => `0 warning: ${message}`),
      '0 written: ok',
      '60000 warning: Too many reports: 3 were dropped',
      '60000 warning: 9',
    ]);
  });

  it('that fails again and again in the same way leaves room for other reports', () => {
    let runs = 0;
    const { scheduler, seen } = stage(() => {
      runs += 1;
      return runs < 10 ? throwError(() => new Error('broken')) : concat(of({ kind: 'warning', message: 'new' }), NEVER);
    });
    scheduler.flush();
    expect(seen).toEqual(['0 failed: broken', '3100 warning: new']);
  });

  it('that reports a text without end is cut', () => {
    const { seen } = stage(() => of({ kind: 'warning', message: 'x'.repeat(5000) }, NEVER), 50);
    expect(seen[0]?.length).toBe('0 warning: '.length + 512);
  });

  it.each([
    [{ kind: 'opened', message: 'a\u001b[2Jb\nc' }, 'opened: a\\u{1b}[2Jb\\nc'],
    [{ kind: 'failed', stage: 'nonsense', message: 'm' }, 'failed: m'],
    [{ kind: 'warning', message: 7 }, 'warning: '],
    [{ kind: 'written', message: 'of no snapshot' }, 'warning: The sink emitted an invalid report: written'],
    [{ kind: Symbol('s') }, 'warning: The sink emitted an invalid report: Symbol(s)'],
    [undefined, 'warning: The sink emitted an invalid report: undefined'],
  ])('that reports %o is not believed', (report, said) => {
    const { seen } = stage(() => of(report, NEVER), 50);
    expect(seen[0]).toBe(`0 ${said}`);
  });
});
