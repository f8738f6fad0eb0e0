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

/** A shell command with everything that defines its run. `timeout`: milliseconds from the start. */
export interface Command {
  readonly text: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeout: number;
}

const MAX_OUTPUT = 65_536;
// Bytes of stderr that are kept: enough for one line of the log.
const MAX_ERRORS = 512;
// Milliseconds to wait for the end of the output after that of the shell, because a child may hold the pipe open.
const DRAIN = 50;
// Spawning needs six descriptors; the rest is for other threads.
const DESCRIPTORS = 10;

/**
 * Runs `/bin/sh -c` once in its own process group. Emits its output or the failure once, and completes when the shell
 * is gone; unsubscribing ends the group. Calls `release` once, when its place is free. Does not use the promise and
 * the timeout of execa, because both wait for any process that holds the output open.
 *
 * - running: until the shell exits by itself, or until the deadline, too much output or the end of the subscription
 * - ending: its group gets SIGTERM, then SIGKILL
 * - settled: its outcome is known and its place is free, because it is gone or has taken too long to end
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
        map(() => failed('run', `not finished after ${command.timeout / 1000} s; killed`)),
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
      // One more turn of the event loop, so that a busy daemon has read the rest of the pipe.
      tap(() => setImmediate(closeStreams)),
      takeUntil(gone$),
    );
    // Continues after unsubscription until the process is gone.
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
    // Without descriptors, spawn emits an error before execa listens to it, which would end the daemon.
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
