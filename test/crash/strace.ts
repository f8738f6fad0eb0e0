import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import { PROGRAM, until } from '../support/daemon.ts';

/** Returns the options that make strace(1) inject a fault into pwrite(2), which only writes to disks use. */
const options = (fault: string): readonly string[] =>
  `-qq --signal=none -o /dev/null -e trace=pwrite64 -e inject=pwrite64:${fault}`.split(' ');

/**
 * Runs `vhostmd -d` with a fault from its first write on, until it ends or `done`; returns true if it ended by itself.
 */
export const runWith = async (fault: string, args: readonly string[], done: () => boolean): Promise<boolean> => {
  const command = [process.execPath, PROGRAM, '-d', ...args];
  const child = spawn('strace', [...options(fault), ...command], { stdio: 'ignore' });
  let ended = false;
  const exit = once(child, 'exit').then(() => (ended = true));
  await until('the end or the first updates', () => ended || done(), 30_000);
  const byItself = ended;
  // The daemon would outlive strace.
  if (!byItself) for (const pid of childrenOf(child)) process.kill(pid, 'SIGKILL');
  await exit;
  return byItself;
};

const childrenOf = ({ pid }: ChildProcess): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

const isTraced = (pid: number): boolean => !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** Injects a fault into the writes of a running daemon; returns a function that removes the fault. */
export const breakWrites = async ({ pid = 0 }: ChildProcess, fault: string): Promise<() => Promise<void>> => {
  const child = spawn('strace', [...options(fault), '-p', String(pid)], { stdio: 'ignore' });
  await until('strace', () => isTraced(pid));
  return async () => {
    child.kill('SIGTERM');
    await until('the end of strace', () => !isTraced(pid));
  };
};
