import { Socket } from 'node:net';
import type { Readable } from 'node:stream';

import { AsyncSubject, type Observable } from 'rxjs';

import { once } from '../../system/once.ts';
import { type Exit, spawnShell, takeExit } from '../../system/process/posix-spawn.ts';

/** A shell that runs, as leader of a process group. */
export interface Shell {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Emits how it ended, also if it has already. */
  readonly exit$: Observable<Exit>;
  readonly hasExited: () => boolean;
}

const running = new Map<number, AsyncSubject<Exit>>();

// Asks for each shell by its pid, because Node and libvirt wait for processes of their own.
const takeExits = (): void => {
  for (const [pid, exit$] of running) {
    const exit = takeExit(pid);
    if (exit === undefined) continue;
    running.delete(pid);
    exit$.next(exit);
    exit$.complete();
  }
};
const watchChildren = once(() => process.on('SIGCHLD', takeExits));

const reader = (fd: number): Readable => new Socket({ fd, readable: true, writable: false });

/**
 * Starts a shell with this command and environment.
 *
 * @throws Error with a code if it cannot be started.
 */
export const startShell = (command: string, env: Readonly<Record<string, string>>): Shell => {
  watchChildren();
  const { pid, stdout, stderr } = spawnShell(command, env);
  const exit$ = new AsyncSubject<Exit>();
  running.set(pid, exit$);
  return { pid, stdout: reader(stdout), stderr: reader(stderr), exit$, hasExited: () => !running.has(pid) };
};
