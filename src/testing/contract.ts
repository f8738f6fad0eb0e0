import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { asyncScheduler, Subject } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import type { Snapshot } from '../model/metric.ts';
import type { Sink, SinkReport } from '../sinks/sink.ts';
import { snapshot } from './snapshots.ts';

/**
 * A sink with a target of its own, and the handles that {@link sinkContract} needs. Its waits between tries must be
 * 50 ms at most: give `deliverLatest` a backoff of `{ first: 10, most: 50 }`.
 */
export interface SinkUnderTest {
  readonly sink: Sink;
  /** Stops delivery: makes the target slow, or keeps it from opening. Returns a function that ends that. */
  readonly hold: () => () => void;
  /** Makes every write fail. Returns a function that ends that. */
  readonly fail: () => () => void;
  /** Returns what the target holds or has received, as text. */
  readonly target: () => string;
  /**
   * Text by which the target shows the value of snapshot N. Without it the value is the string `tick N`. With it the
   * value is the uint64 N, for sinks of numbers: `(tick) => 'vhostmd.Tick:' + tick + '|g'`.
   */
  readonly value?: (tick: number) => string;
  /** Called after each rule: removes the target. */
  readonly dispose?: () => void | Promise<void>;
}

/** Rules that a sink cannot keep if its transport confirms nothing, such as UDP: {@link ContractOptions} `skip`. */
export const UNRELIABLE = [
  'reports a failed write once, and the next one still goes out',
  'tries again what failed, if nothing newer comes',
  'keeps only the newest snapshot while it is slow',
] as const;

/** Options of {@link sinkContract}. */
export interface ContractOptions {
  /** Names of rules to leave out. If any is, a snapshot may reach the target later than it is reported as written. */
  readonly skip?: readonly string[];
}

/** One rule of the contract, for `test(name, run)` of any test runner. */
export interface ContractCase {
  readonly name: string;
  /** Rejects with an `AssertionError` if the sink breaks the rule. */
  readonly run: () => Promise<void>;
}

const PATIENCE = 5000;
// Longer than the waits of the sink under test: its next retry has happened by then.
const SETTLED = 120;

/** Lists the files and sockets that this process has open, as `NUMBER TARGET`. Linux only: it reads /proc/self/fd. */
export const openFiles = (): readonly string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
    } catch {
      return [];
    }
  });

/** Repeats a check until it does not throw, for 5 s at most. */
const eventually = async (check: () => void): Promise<void> => {
  for (const end = performance.now() + PATIENCE; ; await sleep(10)) {
    try {
      return check();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
};

/** Waits until no file is open that was not open before. The process may close others of its own meanwhile. */
const freed = async (before: readonly string[]): Promise<void> =>
  await eventually(() =>
    assert.deepEqual(
      openFiles().filter((file) => !before.includes(file)),
      [],
    ),
  );

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

// `unreliable`: a snapshot that is reported as written may still be under way.
const running = (subject: SinkUnderTest, unreliable: boolean) => {
  const { value } = subject;
  // Anchored, so that `tick 1` is not found in `tick 12`.
  const shown = (tick: number): RegExp => {
    const text = value === undefined ? `tick ${tick}` : value(tick);
    return new RegExp(`${/^\d/.test(text) ? '(?<!\\d)' : ''}${escaped(text)}(?!\\d)`);
  };
  const snapshotOf = (tick: number): Snapshot =>
    value === undefined ? snapshot(tick) : snapshot(tick, [{ name: 'Tick', type: 'uint64', value: String(tick) }]);
  const snapshots = new Subject<Snapshot>();
  const reports: SinkReport[] = [];
  const errors: unknown[] = [];
  let completed = false;
  const subscription = subject.sink.run(snapshots).subscribe({
    next: (report) => reports.push(report),
    error: (error: unknown) => errors.push(error),
    complete: () => (completed = true),
  });
  const written = (): readonly number[] =>
    reports.flatMap((report) => (report.kind === 'written' ? [report.snapshot.tick] : []));
  return {
    give: (...ticks: readonly number[]): void => ticks.forEach((tick) => snapshots.next(snapshotOf(tick))),
    end: (): void => snapshots.complete(),
    stop: (): void => subscription.unsubscribe(),
    reports,
    errors,
    written,
    completes: async () => await eventually(() => assert.ok(completed, 'the sink does not complete')),
    reported: async (kind: SinkReport['kind']) =>
      await eventually(() =>
        assert.ok(
          reports.some((report) => report.kind === kind),
          `nothing ${kind} is reported`,
        ),
      ),
    delivered: async (tick: number) =>
      await eventually(() => assert.ok(written().includes(tick), `snapshot ${tick} is not reported as written`)),
    shows: async (tick: number) => {
      const check = (): void => assert.match(subject.target(), shown(tick));
      await (unreliable ? eventually(check) : check());
    },
    hides: (tick: number): void => assert.doesNotMatch(subject.target(), shown(tick)),
  };
};

type Running = ReturnType<typeof running>;

const RULES: Readonly<Record<string, (subject: SinkUnderTest, start: () => Running) => Promise<void>>> = {
  'delivers what comes, and says so': async (_subject, start) => {
    const sink = start();
    await sink.reported('opened');
    for (const tick of [1, 2]) {
      sink.give(tick);
      await sink.delivered(tick);
      await sink.shows(tick);
    }
  },
  'delivers the last snapshot before it completes': async (_subject, start) => {
    const sink = start();
    sink.give(7);
    sink.end();
    await sink.completes();
    assert.deepEqual(sink.written(), [7]);
  },
  'keeps only the newest snapshot while it is slow': async (subject, start) => {
    const release = subject.hold();
    const sink = start();
    sink.give(1, 2, 3, 4);
    release();
    await sink.delivered(4);
    for (const tick of [2, 3]) assert.ok(!sink.written().includes(tick), `snapshot ${tick} was out of date`);
    await sink.shows(4);
    sink.hides(3);
  },
  'reports a failed write once, and the next one still goes out': async (subject, start) => {
    const sink = start();
    await sink.reported('opened');
    const mend = subject.fail();
    sink.give(1);
    await sink.reported('failed');
    sink.give(2);
    await sleep(SETTLED);
    assert.equal(sink.reports.filter(({ kind }) => kind === 'failed').length, 1);
    assert.deepEqual(sink.written(), []);
    mend();
    sink.give(3);
    await sink.delivered(3);
    await sink.shows(3);
  },
  'tries again what failed, if nothing newer comes': async (subject, start) => {
    const sink = start();
    await sink.reported('opened');
    const mend = subject.fail();
    sink.give(1);
    await sink.reported('failed');
    mend();
    await sink.delivered(1);
    await sink.shows(1);
  },
  'frees every file and socket when it is unsubscribed': async (_subject, start) => {
    const before = openFiles();
    const sink = start();
    sink.give(1);
    await sink.delivered(1);
    sink.stop();
    await freed(before);
  },
  'can be closed during a write': async (subject, start) => {
    const before = openFiles();
    const release = subject.hold();
    const sink = start();
    sink.give(1);
    sink.stop();
    release();
    await freed(before);
    const said = sink.reports.length;
    sink.give(2);
    await sleep(SETTLED);
    assert.equal(sink.reports.length, said);
    assert.deepEqual(sink.written(), []);
  },
};

/**
 * The rules that every sink must keep, one test case each. Snapshot N has one host metric, whose value the target must
 * come to show: `tick N`, or the text of `value` in {@link SinkUnderTest}.
 *
 * @param make - Makes a sink with a target of its own; called once for each rule.
 * @throws Error if `skip` has a name that is not a rule.
 *
 * @example
 * ```ts
 * import { test } from 'node:test';
 * import { defer, of, type SchedulerLike } from 'rxjs';
 * import { deliverLatest, type Snapshot } from 'vhostmd';
 * import { sinkContract, type SinkUnderTest } from 'vhostmd/testing';
 *
 * const make = (scheduler: SchedulerLike): SinkUnderTest => {
 *   let [received, state] = ['', 'up'];
 *   const set = (next: string) => () => {
 *     state = next;
 *     return () => (state = 'up');
 *   };
 *   const open$ = of({
 *     write$: (snapshot: Snapshot) =>
 *       defer(() => {
 *         if (state !== 'up') throw new Error('The target is away');
 *         received += snapshot.host.map(({ value }) => value).join();
 *         return of({ kind: 'written', snapshot, message: 'kept' } as const);
 *       }),
 *   });
 *   const sink = deliverLatest('memory', open$, { scheduler, backoff: { first: 10, most: 50 } });
 *   return { sink, hold: set('slow'), fail: set('broken'), target: () => received };
 * };
 *
 * for (const { name, run } of sinkContract(make)) test(`memory ${name}`, run);
 * ```
 */
export const sinkContract = (
  make: (scheduler: SchedulerLike) => SinkUnderTest | Promise<SinkUnderTest>,
  { skip = [] }: ContractOptions = {},
): readonly ContractCase[] => {
  for (const name of skip)
    if (!(name in RULES)) throw new Error(`The contract has no rule "${name}", only: ${Object.keys(RULES).join('; ')}`);
  const kept = Object.entries(RULES).filter(([name]) => !skip.includes(name));
  return kept.map(([name, rule]) => ({
    name,
    run: async () => {
      const subject = await make(asyncScheduler);
      let sink: Running | undefined;
      try {
        await rule(subject, () => (sink = running(subject, skip.length > 0)));
        assert.deepEqual(sink?.errors, [], 'an error on the stream of reports is a bug');
      } finally {
        sink?.stop();
        await subject.dispose?.();
      }
    },
  }));
};
