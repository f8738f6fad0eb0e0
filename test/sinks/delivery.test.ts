import { concat, EMPTY, NEVER, Observable, of, Subject, throwError } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';

import type { Snapshot } from '../../src/model/metric.ts';
import { exhaustMapLatest } from '../../src/rx/exhaust-map-latest.ts';
import { deliverLatest } from '../../src/sinks/delivery.ts';
import type { Opener, SinkReport, Writer } from '../../src/sinks/sink.ts';
import { snapshot } from '../../src/testing/snapshots.ts';

const scheduler = (): TestScheduler => new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
const failed = (stage: 'open' | 'write', message: string): SinkReport => ({ kind: 'failed', stage, message });
const [one, two, three] = [snapshot(1), snapshot(2), snapshot(3)];
const inputs: Readonly<Record<string, Snapshot>> = { 1: one, 2: two, 3: three };
const values = {
  O: { kind: 'opened', message: 'Opened' },
  W: { kind: 'written', snapshot: one, message: '' },
  X: { kind: 'written', snapshot: two, message: '' },
  Y: { kind: 'written', snapshot: three, message: '' },
  f: failed('open', 'no'),
  g: failed('write', 'full'),
} as const;
const written = (of1: Snapshot): SinkReport => ({ kind: 'written', snapshot: of1, message: '' });

/** Returns a write that reports after that many frames. */
const later = (test: TestScheduler, frames: number) => (value: Snapshot) =>
  test.createColdObservable<SinkReport>(`${'-'.repeat(frames)}(a|)`, { a: written(value) });

/** Returns an opener whose attempts have these results; all further attempts have the last. */
const attempts = (...results: readonly Opener[]): Opener => {
  let attempt = 0;
  return new Observable((subscriber) =>
    (results[Math.min(attempt++, results.length - 1)] ?? EMPTY).subscribe(subscriber),
  );
};
const opened = (writer: Writer): Opener => concat(of(writer), NEVER);

describe('exhaustMapLatest', () => {
  it('takes the newest of the values that arrived while it was busy, and drops the older ones', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      const inner$ = exhaustMapLatest((value: string) => cold('---(a|)', { a: value }));
      expectObservable(cold('abcd-------e-|').pipe(inner$)).toBe('---a--d-------(e|)');
    });
  });

  it('passes an error on', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      expectObservable(cold('a-#').pipe(exhaustMapLatest(() => NEVER))).toBe('--#');
    });
  });
});

describe('the hand-over', () => {
  const backoff = { first: 4, most: 10 };

  it('writes the newest snapshot when the target is open at last', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      const writer: Writer = { write$: later(test, 1) };
      const sink = deliverLatest('x', cold('-----w', { w: writer }), { scheduler: test, backoff });
      expectObservable(sink.run(cold('1-2----3|', inputs))).toBe('-----OX-(Y|)', values);
    });
  });

  it('tries to open again with doubling waits up to the longest, and reports the same failure once', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      const no$ = throwError(() => new Error('no'));
      const open$ = attempts(no$, no$, no$, no$, opened({ write$: later(test, 0) }));
      const sink = deliverLatest('x', open$, { scheduler: test, backoff });
      expectObservable(sink.run(cold('1', inputs)), '41ms !').toBe('f 31ms (OW)', values);
    });
  });

  it('reports a different failure again', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      const open$ = attempts(...['no', 'no', 'other', 'no'].map((text) => throwError(() => new Error(text))));
      const sink = deliverLatest('x', open$, { scheduler: test, backoff: { first: 2, most: 2 } });
      expectObservable(sink.run(cold('1', inputs)), '9ms !').toBe('f---p-f', { ...values, p: failed('open', 'other') });
    });
  });

  it('after a failed write the next snapshot goes out at once, and the target stays open', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      let writes = 0;
      const write$ = (value: Snapshot) => (writes++ === 0 ? throwError(() => new Error('full')) : of(written(value)));
      const sink = deliverLatest('x', attempts(opened({ write$ })), {
        scheduler: test,
        backoff: { first: 20, most: 20 },
      });
      expectObservable(sink.run(cold('1----2', inputs))).toBe('(Og)-X', values);
    });
  });

  it('after a failed write the same snapshot is tried again after the wait, if none is newer', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      let writes = 0;
      const write$ = (value: Snapshot) => (writes++ < 2 ? throwError(() => new Error('full')) : of(written(value)));
      const sink = deliverLatest('x', attempts(opened({ write$ })), { scheduler: test, backoff });
      expectObservable(sink.run(cold('1', inputs))).toBe('(Og) 8ms W', values);
    });
  });

  it('waits as short as at first for the next failure, when a snapshot was written in between', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      let writes = 0;
      const write$ = (value: Snapshot) =>
        [0, 1, 3].includes(writes++) ? throwError(() => new Error('full')) : of(written(value));
      const sink = deliverLatest('x', attempts(opened({ write$ })), {
        scheduler: test,
        backoff: { first: 4, most: 99 },
      });
      expectObservable(sink.run(cold('1 19ms 2', inputs))).toBe('(Og) 8ms W 7ms g---X', values);
    });
  });

  it('waits as short as at first to open again, when a snapshot was written in between', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      const [no$, writer] = [throwError(() => new Error('no')), { write$: later(test, 0) }];
      const open$ = attempts(no$, no$, cold('w---#', { w: writer }, new Error('no')), opened(writer));
      const sink = deliverLatest('x', open$, { scheduler: test, backoff: { first: 4, most: 99 } });
      expectObservable(sink.run(cold('1', inputs))).toBe('f 11ms (OW)f---(OW)', values);
    });
  });

  it('reports a failure once, also with warnings in between, but each of opening and writing', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      const warning: SinkReport = { kind: 'warning', message: 'slow' };
      const write$ = () =>
        concat(
          of(warning),
          throwError(() => new Error('no')),
        );
      const open$ = attempts(cold('w 14ms #', { w: { write$ } }, new Error('no')), NEVER);
      const sink = deliverLatest('x', open$, { scheduler: test, backoff: { first: 10, most: 10 } });
      const expected = { ...values, a: warning, p: failed('write', 'no') };
      expectObservable(sink.run(cold('1', inputs))).toBe('(Oap)-----a----f', expected);
    });
  });

  it('a snapshot that came while the failing one was written goes out without a wait', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      let writes = 0;
      const write$ = (value: Snapshot) =>
        writes++ === 0 ? cold<SinkReport>('---#', {}, new Error('full')) : of(written(value));
      const sink = deliverLatest('x', attempts(opened({ write$ })), { scheduler: test, backoff });
      expectObservable(sink.run(cold('12', inputs))).toBe('O--(gX)', values);
    });
  });

  it('a target that is lost in the middle of a write is one failure, though closing it fails the write, too', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      const open$ = new Observable<Writer>((subscriber) => {
        const closed$ = new Subject<never>();
        subscriber.add(() => closed$.error(new Error('closed')));
        return cold('w--#', { w: { write$: () => closed$ } }, new Error('no')).subscribe(subscriber);
      });
      const sink = deliverLatest('x', open$, { scheduler: test, backoff: { first: 20, most: 20 } });
      expectObservable(sink.run(cold('1', inputs)), '9ms !').toBe('O--f', values);
    });
  });

  it('a target that is lost is opened again and gets the newest snapshot, also what it had already', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      const writer: Writer = { write$: later(test, 0) };
      const open$ = attempts(cold('w------#', { w: writer }, new Error('no')), opened(writer));
      const sink = deliverLatest('x', open$, { scheduler: test, backoff });
      expectObservable(sink.run(cold('1', inputs))).toBe('(OW)---f---(OW)', values);
    });
  });

  it('passes reports of the target on, before and while it is open', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      const warning: SinkReport = { kind: 'warning', message: 'old' };
      const open$: Opener = cold('a-w-a', { a: warning, w: { write$: later(test, 1), opened: 'here' } });
      const sink = deliverLatest('x', open$, { scheduler: test, backoff });
      const expected = { ...values, a: warning, O: { kind: 'opened', message: 'here' } } as const;
      expectObservable(sink.run(cold('1--2', inputs))).toBe('a-OW(aX)', expected);
    });
  });

  it('an error of the snapshots is a bug and passes, open or not', () => {
    const test = scheduler();
    test.run(({ cold, expectObservable }) => {
      expectObservable(deliverLatest('x', NEVER, { scheduler: test }).run(cold('1-#', inputs))).toBe('--#');
    });
  });

  it('closes the target when it is unsubscribed from, also in mid-write', () => {
    const snapshots = new Subject<Snapshot>();
    const log: string[] = [];
    const open$ = new Observable<Writer>((subscriber) => {
      log.push('open');
      subscriber.next({
        write$: () =>
          new Observable(() => {
            log.push('write');
            return () => log.push('cut');
          }),
      });
      return () => log.push('close');
    });
    const running = deliverLatest('x', open$, { scheduler: scheduler() }).run(snapshots).subscribe();
    snapshots.next(one);
    running.unsubscribe();
    expect(log.slice(0, 2)).toEqual(['open', 'write']);
    expect(log.slice(2).sort()).toEqual(['close', 'cut']);
    expect(snapshots.observed).toBe(false);
  });
});
