import { execa } from 'execa';
import { Observable, type SchedulerLike } from 'rxjs';

import type { Stage } from '../../model/metric.ts';
import { probeDescriptors } from '../../system/process/descriptors.ts';
import { addGroup, endGroup, endLeftovers, GRACE } from './process-group.ts';
import { captureOutput } from './capture-output.ts';
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
// For a process that no signal ends: stuck in the kernel (a dead NFS server), or another user's.
const GIVE_UP = GRACE + 1000;
// Spawning takes six descriptors; the rest is for other threads.
const DESCRIPTORS = 10;

/**
 * One run of `/bin/sh -c` in a process group of its own. Emits once what it printed or why there is nothing, and
 * completes when the shell is really gone; unsubscribing ends the group. `release` is called once, when its place may
 * be taken. The promise and the timeout of execa are not used: both wait for whoever holds the output open.
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

    const { pid } = child;
    addGroup(pid);
    let failure: Failure | undefined;
    let settled = false;
    let giveUp: NodeJS.Timeout | undefined;
    let drain: NodeJS.Timeout | undefined;
    const settleOnce = (printed: Printed): void => {
      if (settled) return;
      settled = true;
      settle(printed);
    };
    const end = (stage: Stage, reason: string): void => {
      if (failure !== undefined) return;
      const unended = { ok: false, stage, reason: `${reason}, but it does not end` } as const;
      failure = { ok: false, stage, reason };
      endGroup(pid);
      giveUp = setTimeout(() => settleOnce(unended), GIVE_UP);
    };
    const deadline = scheduler.schedule(
      () => end('run', `no end after ${command.timeout / 1000} s; killed`),
      command.timeout,
    );
    const output = captureOutput(child.stdout, MAX_OUTPUT, () => {
      child.stdout.destroy();
      end('output', `printed more than ${MAX_OUTPUT / 1024} KiB; killed`);
    });
    const errors = captureOutput(child.stderr, MAX_ERRORS);
    const closeStreams = (): void => {
      child.stdout.destroy();
      child.stderr.destroy();
    };
    child.once('exit', () => {
      deadline.unsubscribe();
      endLeftovers(pid);
      // After the timer one turn of the loop, so that a late daemon has read what was already in the pipe.
      drain = setTimeout(() => setImmediate(closeStreams), DRAIN);
    });
    child.once('close', (code, signal) => {
      clearTimeout(giveUp);
      clearTimeout(drain);
      settleOnce(failure ?? exitResult(code, signal, output(), errors()));
      subscriber.complete();
    });
    return () => {
      deadline.unsubscribe();
      if (child.exitCode === null && child.signalCode === null) end('run', 'no longer wanted; killed');
      else closeStreams();
    };
  });

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
