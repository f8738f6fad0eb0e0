import { readdirSync, readlinkSync } from 'node:fs';

import { asyncScheduler, Subject } from 'rxjs';
import type { SchedulerLike, Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Snapshot } from '../../src/metric.ts';
import type { Sink, SinkReport } from '../../src/sinks/sink.ts';
import { snapshot } from './snapshots.ts';

/** A sink with a target of its own, and the handles that the contract needs. Waits between tries: 50 ms at most. */
export interface SinkUnderTest {
  readonly sink: Sink;
  /** From now on nothing can be delivered: a slow reader, or a target that does not open. Returns what ends that. */
  readonly hold: () => () => void;
  /** From now on every write fails. Returns what ends that. */
  readonly fail: () => () => void;
  /** What the target holds or has received, as text. */
  readonly target: () => string;
  readonly dispose?: () => void;
}

/** Files and sockets that this process has open, by number and what they are. */
export const openFiles = (): readonly string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
    } catch {
      return [];
    }
  });

/** What every sink must do; run it on a sink of your own. The target shows the text `tick N` of snapshot N. */
export const describeSinkContract = (name: string, factory: (scheduler: SchedulerLike) => SinkUnderTest): void => {
  describe(`${name} keeps the contract of a sink:`, () => {
    let subject: SinkUnderTest;
    let snapshots: Subject<Snapshot>;
    let reports: SinkReport[];
    let errors: unknown[];
    let completed: boolean;
    let subscription: Subscription | undefined;

    const run = (): void => {
      subscription = subject.sink.run(snapshots).subscribe({
        next: (report) => reports.push(report),
        error: (error: unknown) => errors.push(error),
        complete: () => {
          completed = true;
        },
      });
    };
    const written = (): readonly number[] =>
      reports.flatMap((report) => (report.kind === 'written' ? [report.snapshot.tick] : []));
    const reported = (kind: SinkReport['kind']): Promise<void> =>
      vi.waitFor(() => expect(reports.map((report) => report.kind)).toContain(kind), 5000);
    const delivered = (tick: number): Promise<void> => vi.waitFor(() => expect(written()).toContain(tick), 5000);

    beforeEach(() => {
      subject = factory(asyncScheduler);
      snapshots = new Subject();
      reports = [];
      errors = [];
      completed = false;
    });

    afterEach(() => {
      subscription?.unsubscribe();
      subject.dispose?.();
      expect(errors).toEqual([]);
    });

    it('it delivers what comes, and says so', async () => {
      run();
      await reported('opened');
      snapshots.next(snapshot(1));
      await delivered(1);
      expect(subject.target()).toContain('tick 1');
      snapshots.next(snapshot(2));
      await delivered(2);
      expect(subject.target()).toContain('tick 2');
    });

    it('it delivers the last snapshot before it completes', async () => {
      run();
      snapshots.next(snapshot(7));
      snapshots.complete();
      await vi.waitFor(() => expect(completed).toBe(true), 5000);
      expect(written()).toEqual([7]);
    });

    it('while it is slow it keeps only the newest snapshot', async () => {
      const release = subject.hold();
      run();
      for (const tick of [1, 2, 3, 4]) snapshots.next(snapshot(tick));
      release();
      await delivered(4);
      expect(written()).not.toContain(2);
      expect(written()).not.toContain(3);
      expect(subject.target()).toContain('tick 4');
      expect(subject.target()).not.toContain('tick 3');
    });

    it('a failed write is reported once, and the next one still goes out', async () => {
      run();
      await reported('opened');
      const mend = subject.fail();
      snapshots.next(snapshot(1));
      await reported('failed');
      snapshots.next(snapshot(2));
      await new Promise((resolve) => setTimeout(resolve, 120));
      expect(reports.filter(({ kind }) => kind === 'failed')).toHaveLength(1);
      expect(written()).toEqual([]);
      mend();
      snapshots.next(snapshot(3));
      await delivered(3);
      expect(subject.target()).toContain('tick 3');
    });

    it('what failed is tried again, if nothing newer comes', async () => {
      run();
      await reported('opened');
      const mend = subject.fail();
      snapshots.next(snapshot(1));
      await reported('failed');
      mend();
      await delivered(1);
      expect(subject.target()).toContain('tick 1');
    });

    it('unsubscribing frees every file and socket', async () => {
      const before = openFiles();
      run();
      snapshots.next(snapshot(1));
      await delivered(1);
      subscription?.unsubscribe();
      await vi.waitFor(() => expect(openFiles()).toEqual(before), 5000);
    });

    it('closing during a write is safe', async () => {
      const before = openFiles();
      const release = subject.hold();
      run();
      snapshots.next(snapshot(1));
      subscription?.unsubscribe();
      release();
      await vi.waitFor(() => expect(openFiles()).toEqual(before), 5000);
      const said = reports.length;
      snapshots.next(snapshot(2));
      await new Promise((resolve) => setTimeout(resolve, 80));
      expect(reports).toHaveLength(said);
      expect(written()).toEqual([]);
    });
  });
};
