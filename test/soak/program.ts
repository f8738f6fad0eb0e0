import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** The built program. The path is relative to the working directory, so it is the same for compiled tests. */
const PROGRAM = path.resolve('dist/vhostmd.cjs');

/** Starts the built daemon and collects its output. */
export const startProgram = (args: readonly string[], env: Readonly<Record<string, string>>) => {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  let text = '';
  child.stderr.on('data', (data: Buffer) => (text += data.toString('utf8')));
  const ended = once(child, 'exit') as Promise<[number | null]>;
  return {
    pid: child.pid ?? 0,
    output: () => text,
    /** Returns the exit code. */
    stop: async (): Promise<number | null> => {
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
};
