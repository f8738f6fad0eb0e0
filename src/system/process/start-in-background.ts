import { once } from 'node:events';

import { execa } from 'execa';

import { BACKGROUND } from './background.ts';
import { TERMINAL_SIGNALS } from './signals.ts';

/** Starts the daemon in a session of its own. Resolves to its exit status, or to 0 after its first snapshot. */
export const startInBackground = async (args: readonly string[]): Promise<number> => {
  const child = execa(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...args], {
    detached: true,
    cleanup: false,
    env: { [BACKGROUND]: '1' },
    stdin: 'ignore',
    stdout: 'ignore',
    buffer: false,
    ipc: true,
    reject: false,
  });
  // `pipe` would stop reading when the reader of our own stderr is gone.
  child.stderr.on('data', (text: Buffer) => process.stderr.write(text));
  const allPrinted = once(child.stderr, 'end');
  // Ctrl-C must also stop the child, which the terminal's signal does not reach in its own session.
  for (const signal of TERMINAL_SIGNALS) process.once(signal, () => child.kill('SIGTERM'));
  const ended = await child.getOneMessage().then(
    () => undefined,
    async () => await child,
  );
  await allPrinted;
  if (ended === undefined) {
    child.unref();
    return 0;
  }
  const { exitCode, signal } = ended;
  if (signal !== undefined) console.error(`vhostmd: The daemon was killed by ${signal} before its first snapshot`);
  return exitCode === undefined || exitCode === 0 ? 1 : exitCode;
};
