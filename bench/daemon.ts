import { type ChildProcess, fork, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { AS_DAEMON } from '../test/support/as-daemon.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Returns the path of a file of the repository. */
export const repositoryFile = (name: string): string => path.join(root, name);

/** The built program, as a user runs it. */
export const PROGRAM = repositoryFile('dist/vhostmd.cjs');

/** Copies a configuration of the repository, with a disk of its own; returns the paths of both. */
export const configuration = (file: string, directory: string, name: string): { config: string; disk: string } => {
  const disk = path.join(directory, `${name}.disk`);
  const config = path.join(directory, `${name}.conf`);
  const text = readFileSync(repositoryFile(file), 'utf8');
  writeFileSync(config, text.replace(/<path>[^<]*vhostmd0<\/path>/, `<path>${disk}</path>`));
  return { config, disk };
};

const running = new Set<ChildProcess>();

const kept = (child: ChildProcess): ChildProcess => {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
};

/** Kills every program that the bench has started and that still runs. */
export const killAll = (): void => {
  for (const child of running) child.kill('SIGKILL');
};

/** Ends a program and waits for its end. */
export const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = sleep(5000, 'late', { ref: false });
  if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL');
  await ended;
};

/** Starts a program of the system; stdin and stdout are pipes on demand, all other output is discarded. */
export const spawnOther = (
  command: string,
  args: readonly string[],
  { pipes = false, env = process.env }: { readonly pipes?: boolean; readonly env?: NodeJS.ProcessEnv } = {},
): ChildProcess =>
  kept(spawn(command, args, { env, stdio: pipes ? ['pipe', 'pipe', 'ignore'] : ['ignore', 'ignore', 'ignore'] }));

/** Starts the daemon without waiting for it. */
export const spawnDaemon = (config: string, uri: string, options: readonly string[] = []): ChildProcess =>
  kept(
    spawn(process.execPath, [PROGRAM, '-d', '-f', config, '-c', uri, ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );

export interface BenchDaemon {
  readonly pid: number;
  /** Returns its output so far. */
  readonly output: () => string;
  readonly stop: () => Promise<void>;
}

/** Starts the daemon and waits for its first snapshot. */
export const startDaemon = async (
  config: string,
  uri: string,
  options: readonly string[] = [],
): Promise<BenchDaemon> => {
  const child = spawnDaemon(config, uri, options);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (text += data.toString()));
  for (let waited = 0; !text.includes('Ready: '); waited += 10) {
    if (child.exitCode !== null || waited > 20_000) throw new Error(`the daemon does not start:\n${text}`);
    await sleep(10);
  }
  return { pid: child.pid ?? 0, output: () => text, stop: () => end(child) };
};

/** Starts one of the programs in this folder as a child process that sends messages. */
export const startProgram = (name: string, args: readonly string[]): ChildProcess =>
  kept(
    fork(fileURLToPath(new URL(`programs/${name}.js`, import.meta.url)), args, {
      // As the daemon starts.
      execArgv: [...AS_DAEMON, '--require', fileURLToPath(new URL('../../modules/bootstrap.cjs', import.meta.url))],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  );

/** Runs a program until it ends; returns the one message that it sends. */
export const resultOf = async <Message>(name: string, args: readonly string[]): Promise<Message> => {
  const child = startProgram(name, args);
  return await new Promise<Message>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Message));
    child.once('exit', (code, signal) => reject(new Error(`${name} ended with ${code ?? signal} without a result`)));
  });
};
