import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

import { TERMINAL_SIGNALS } from './signals.ts';

/** Tells the daemon that it is the background half of a start. */
const BACKGROUND = 'VHOSTMD_BACKGROUND';
const READY = 'ready';
const STDERR = 2;

/** True in the detached child. Consumes the variable so that actions do not inherit it. */
export const isBackground = (): boolean => {
  const background = process.env[BACKGROUND] !== undefined && process.send !== undefined;
  delete process.env[BACKGROUND];
  return background;
};

/** Lets the foreground half go, if it is still there, and leaves the stderr that it reads. */
export const reportReady = (): void => {
  process.send?.(READY, () => {
    if (process.connected) process.disconnect();
    closeSync(STDERR);
    // The lowest free descriptor is given, so this is stderr again, for whatever a library may print there.
    openSync('/dev/null', 'w');
  });
};

/** Starts the daemon in a session of its own; its exit status, or 0 once its first snapshot is published. */
export const startInBackground = async (args: readonly string[]): Promise<number> => {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...args], {
    detached: true,
    env: { ...process.env, [BACKGROUND]: '1' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  // Not `pipe`, which stops reading when the reader of our own stderr has gone.
  child.stderr?.on('data', (text: Buffer) => process.stderr.write(text));
  // Who interrupts the start wants no daemon; it is in another session, so the terminal's Ctrl-C does not reach it.
  for (const signal of TERMINAL_SIGNALS) process.once(signal, () => child.kill('SIGTERM'));
  const ready = once(child, 'message').then(() => undefined);
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const [end] = await Promise.all([Promise.race([ready, ended]), child.stderr === null || once(child.stderr, 'end')]);
  if (end === undefined) {
    child.unref();
    return 0;
  }
  const [code, signal] = end;
  if (signal !== null) console.error(`vhostmd: The daemon was killed by ${signal} before its first snapshot`);
  return code === null || code === 0 ? 1 : code;
};
