// Runs `echo 1` in so many shells, eight at a time; sends the CPU time per shell, in ms.
// Arguments: how the shells are started, and their number.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

import { execa } from 'execa';
import { firstValueFrom } from 'rxjs';

// The modules of the daemon, since a fork costs the more the larger the process is.
import '../../src/daemon/topology.ts';
import { startShell } from '../../src/sources/action/shell.ts';
import { cpuOf } from '../proc.ts';

export interface ShellCost {
  /** Of this process. */
  readonly own: number;
  /** Of the shells, with the copy of this process that each was before. */
  readonly shells: number;
}

const WARM_UP = 100;
const AT_A_TIME = 8;
const COMMAND = 'echo 1';
const env = { PATH: '/usr/bin:/bin' };

const read = (stream: Readable): void => void stream.on('data', () => undefined);

const STARTERS: Readonly<Record<string, () => Promise<unknown>>> = {
  execa: async () => {
    const options = { cwd: '/', env, extendEnv: false, stdin: 'ignore', buffer: false, detached: true } as const;
    const child = execa('/bin/sh', ['-c', COMMAND], { ...options, cleanup: false, reject: false });
    read(child.stdout);
    read(child.stderr);
    await once(child, 'close');
  },
  spawn: async () => {
    const child = spawn('/bin/sh', ['-c', COMMAND], {
      cwd: '/',
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    read(child.stdout);
    read(child.stderr);
    await once(child, 'close');
  },
  posix_spawn: async () => {
    const { stdout, stderr, exit$ } = startShell(COMMAND, env);
    read(stdout);
    read(stderr);
    await Promise.all([firstValueFrom(exit$), once(stdout, 'close'), once(stderr, 'close')]);
  },
};

const [kind = '', number = ''] = process.argv.slice(2);
const start = STARTERS[kind];
if (start === undefined) throw new Error(`there is no way "${kind}" to start a shell`);

const run = async (count: number): Promise<void> => {
  let left = count;
  const runInTurn = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await start();
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, runInTurn));
};

// A shell that has closed its output does not keep this process alive.
const alive = setInterval(() => undefined, 1000);
await run(WARM_UP);
const own = process.cpuUsage();
const { children } = cpuOf(process.pid);
await run(Number(number));
const { user, system } = process.cpuUsage(own);
const shells = cpuOf(process.pid).children - children;
process.send?.({ own: (user + system) / 1000 / Number(number), shells: shells / Number(number) } satisfies ShellCost);
clearInterval(alive);
