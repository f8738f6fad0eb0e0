import {
  AsyncSubject,
  delay,
  filter,
  forkJoin,
  ignoreElements,
  map,
  merge,
  Observable,
  type SchedulerLike,
  takeUntil,
  tap,
  timer,
} from 'rxjs';

import type { Stage } from '../../model/metric.ts';
import { probeDescriptors } from '../../system/process/descriptors.ts';
import { addGroup, endGroup, endLeftovers } from './process-group.ts';
import { captureOutput } from './capture-output.ts';
import { outcome$ } from './outcome.ts';
import type { Release } from './pool.ts';
import { exitResult, startFailure, type Failure, type Printed } from './results.ts';
import { type Shell, startShell } from './shell.ts';

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
// A start needs five descriptors; the rest is for other threads.
const DESCRIPTORS = 10;

/**
 * Runs `/bin/sh -c` once in its own process group. Emits its output or the failure once, and completes when the shell
 * is gone; unsubscribing ends the group. Calls `release` once, when its place is free. Does not wait for any other
 * process that holds the output open.
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
    const shell = start(command);
    if ('reason' in shell) {
      // Later, because the next one in the queue starts within `settle`.
      queueMicrotask(() => {
        settle(shell);
        subscriber.complete();
      });
      return;
    }

    const { pid, stdout, stderr, exit$ } = shell;
    addGroup(pid);
    const closeStreams = (): void => {
      stdout.destroy();
      stderr.destroy();
    };
    const output$ = captureOutput(stdout, MAX_OUTPUT, () => stdout.destroy());
    const errors$ = captureOutput(stderr, MAX_ERRORS);
    // The first reason counts.
    const ending$ = new AsyncSubject<Failure>();
    const end = (stage: Stage, reason: string): void => {
      ending$.next({ ok: false, stage, reason: `${reason}; killed` });
      ending$.complete();
      endGroup(pid);
    };
    timer(command.timeout, scheduler)
      .pipe(takeUntil(exit$))
      .subscribe(() => end('run', `not finished after ${command.timeout / 1000} s`));
    output$
      .pipe(filter(({ size }) => size > MAX_OUTPUT))
      .subscribe(() => end('output', `printed more than ${MAX_OUTPUT / 1024} KiB`));

    const gone$ = new AsyncSubject<Printed>();
    forkJoin([exit$, output$, errors$])
      .pipe(map(([exit, output, errors]) => exitResult(exit, output.kept, errors.kept)))
      .subscribe(gone$);
    exit$
      .pipe(
        tap(() => endLeftovers(pid)),
        delay(DRAIN),
        takeUntil(gone$),
      )
      // One more turn of the event loop, so that a busy daemon has read the rest of the pipe.
      .subscribe(() => setImmediate(closeStreams));
    // Continues after unsubscription until the process is gone.
    merge(outcome$(gone$, ending$), gone$.pipe(ignoreElements())).subscribe({
      next: settle,
      complete: () => subscriber.complete(),
    });
    return () => {
      if (shell.hasExited()) closeStreams();
      else end('run', 'no longer wanted');
    };
  });

const start = ({ text, env }: Command): Shell | Failure => {
  try {
    probeDescriptors(DESCRIPTORS);
    return startShell(text, env);
  } catch (error) {
    return startFailure(error);
  }
};
