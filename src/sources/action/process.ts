import { execa } from 'execa';
import {
  delay,
  filter,
  fromEvent,
  ignoreElements,
  map,
  merge,
  Observable,
  type SchedulerLike,
  share,
  shareReplay,
  Subject,
  take,
  takeUntil,
  tap,
  timer,
  withLatestFrom,
} from 'rxjs';

import type { Stage } from '../../model/metric.ts';
import { probeDescriptors } from '../../system/process/descriptors.ts';
import { addGroup, endGroup, endLeftovers } from './process-group.ts';
import { captureOutput } from './capture-output.ts';
import { outcome$ } from './outcome.ts';
import type { Release } from './pool.ts';
import { exitResult, startFailure, type Failure, type Printed } from './results.ts';

/** A shell command with all that makes one run equal to another; `timeout` in milliseconds from the start. */
export interface Command {
  readonly text: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeout: number;
}

const MAX_OUTPUT = 65_536;
// Enough for one line of the log.
const MAX_ERRORS = 512;
// Between the end of the shell and the end of its output, in case that a child of it holds the pipe open.
const DRAIN = 50;
// Spawning takes six descriptors; the rest is for other threads.
const DESCRIPTORS = 10;

/**
 * One run of `/bin/sh -c` in a process group of its own. Emits once what it printed or why there is nothing, and
 * completes when the shell is really gone; unsubscribing ends the group. `release` is called once, when its place may
 * be taken. The promise and the timeout of execa are not used: both wait for whoever holds the output open.
 *
 * - running: until the shell exits by itself, or until the deadline, too much output or the end of the subscription
 * - ending: its group gets SIGTERM, then SIGKILL
 * - settled: its outcome is known, and its place is free: it is gone, or has been ending for too long
 * - gone: the shell has exited, and its output has been read
 */
export const run$ = (command: Command, scheduler: SchedulerLike, release: Release): Observable<Printed> =>
  new Observable((subscriber) => {
    const settle = (printed: Printed): void => {
      subscriber.next(printed);
      release();
    };
    const child = start(command);
    if ('reason' in child || child.pid === undefined) {
      const reason = 'reason' in child ? child : child.then(startFailure);
      void Promise.resolve(reason).then((failure) => {
        settle(failure);
        subscriber.complete();
      });
      return;
    }

    const { pid, stdout, stderr } = child;
    addGroup(pid);
    const closeStreams = (): void => {
      stdout.destroy();
      stderr.destroy();
    };
    const output$ = captureOutput(stdout, MAX_OUTPUT).pipe(
      tap(({ size }) => {
        if (size > MAX_OUTPUT) stdout.destroy();
      }),
      shareReplay({ bufferSize: 1, refCount: true }),
    );
    const exited$ = fromEvent(child, 'exit').pipe(take(1));
    const cancelled$ = new Subject<Failure>();
    const ending$ = merge(
      timer(command.timeout, scheduler).pipe(
        map(() => failed('run', `no end after ${command.timeout / 1000} s; killed`)),
        takeUntil(exited$),
      ),
      output$.pipe(
        filter(({ size }) => size > MAX_OUTPUT),
        map(() => failed('output', `printed more than ${MAX_OUTPUT / 1024} KiB; killed`)),
      ),
      cancelled$,
    ).pipe(
      take(1),
      tap(() => endGroup(pid)),
      share(),
    );
    const gone$ = (fromEvent(child, 'close') as Observable<[number | null, string | null]>).pipe(
      take(1),
      withLatestFrom(output$, captureOutput(stderr, MAX_ERRORS)),
      map(([[code, signal], output, errors]) =>
        exitResult(code, signal, Buffer.concat(output.kept), Buffer.concat(errors.kept)),
      ),
      share(),
    );
    const drained$ = exited$.pipe(
      tap(() => endLeftovers(pid)),
      delay(DRAIN),
      // One turn of the loop more, so that a late daemon has read what was already in the pipe.
      tap(() => setImmediate(closeStreams)),
      takeUntil(gone$),
    );
    // Goes on until the process is gone, though nobody listens any more.
    merge(outcome$(gone$, ending$), merge(drained$, gone$).pipe(ignoreElements())).subscribe({
      next: settle,
      complete: () => subscriber.complete(),
    });
    return () => {
      if (child.exitCode === null && child.signalCode === null)
        cancelled$.next(failed('run', 'no longer wanted; killed'));
      else closeStreams();
    };
  });

const failed = (stage: Stage, reason: string): Failure => ({ ok: false, stage, reason });

const start = (command: Command) => {
  try {
    // Out of descriptors, spawn emits an error before execa can listen to it, and the daemon would end.
    probeDescriptors(DESCRIPTORS);
    return execa('/bin/sh', ['-c', command.text], {
      cwd: '/',
      env: command.env,
      extendEnv: false,
      stdin: 'ignore',
      buffer: false,
      encoding: 'buffer',
      reject: false,
      detached: true,
      cleanup: false,
    });
  } catch (error) {
    return startFailure({ cause: error });
  }
};
