import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Tells the daemon that it is the background half of a start; also the name of the message that says it is ready. */
export const BACKGROUND = 'VHOSTMD_BACKGROUND';
const READY = 'ready';

/** Whether this process is the background half; asks once, then the actions see nothing of it. */
export const isBackground = (): boolean => {
  const background = process.env[BACKGROUND] !== undefined && process.send !== undefined;
  delete process.env[BACKGROUND];
  return background;
};

/** Lets the foreground half go: from here on nobody reads stderr. */
export const reportReady = (): void => {
  process.send?.(READY, () => process.disconnect());
};

/** Starts the daemon in a session of its own; its exit status, or 0 once its first snapshot is published. */
export const startInBackground = async (args: readonly string[]): Promise<number> => {
  const child = spawn(process.execPath, [process.argv[1] ?? '', '--no-daemonize', ...args], {
    detached: true,
    cwd: '/',
    env: { ...process.env, [BACKGROUND]: '1' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.stderr?.pipe(process.stderr);
  const ready = once(child, 'message').then(() => 0);
  const ended = once(child, 'exit').then(([code]: (number | null)[]) => code ?? 1);
  return await Promise.race([ready, ended]);
};
