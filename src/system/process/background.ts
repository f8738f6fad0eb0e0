import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

import { TERMINAL_SIGNALS } from './signals.ts';

/** Environment variable that marks the detached child. */
const BACKGROUND = 'VHOSTMD_BACKGROUND';
const READY = 'ready';
const STDERR = 2;

/** True in the detached child. Consumes the variable so that actions do not inherit it. */
export const isBackground = (): boolean => {
  const background = process.env[BACKGROUND] !== undefined && process.send !== undefined;
  delete process.env[BACKGROUND];
  return background;
};

/** Releases the foreground process, if it still runs, and detaches from the stderr that it reads. */
export const reportReady = (): void => {
  process.send?.(READY, () => {
    if (process.connected) process.disconnect();
    closeSync(STDERR);
    // The lowest free descriptor is 2: stderr is open again, for anything that a library may print.
    openSync('/dev/null', 'w');
  });
};

/** Starts the daemon in a session of its own. Resolves to its exit status, or to 0 after its first snapshot. */
export const startInBackground = async (args: readonly string[]): Promise<number> => {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...args], {
    detached: true,
    env: { ...process.env, [BACKGROUND]: '1' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  // `pipe` would stop reading when the reader of our own stderr is gone.
  child.stderr?.on('data', (text: Buffer) => process.stderr.write(text));
  // Ctrl-C must also stop the child, which the terminal's signal does not reach in its own session.
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
