import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The guest's tool in the repository. */
export const TOOL = fileURLToPath(new URL('../../guest/vm-dump-metrics', import.meta.url));

const locate = (program: string): string =>
  execFileSync('/bin/sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();

/** This machine's statically linked busybox, which also runs in guests. */
export const BUSYBOX = locate('busybox');

/** Command of a shell. */
export type Shell = readonly [string, ...string[]];

/** Shells of guests, by name. */
export const SHELLS: readonly { readonly name: string; readonly shell: Shell }[] = [
  { name: 'busybox sh', shell: [BUSYBOX, 'sh'] },
  { name: 'dash', shell: [locate('dash')] },
  { name: 'bash', shell: [locate('bash')] },
];

/** Makes a folder with the programs of busybox as the only entry of PATH, so that no other version is used. */
export const busyboxFolder = (folder: string): string => {
  mkdirSync(folder);
  for (const applet of execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    symlinkSync(BUSYBOX, path.join(folder, applet));
  }
  return folder;
};

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts the tool in a shell, as a process group of its own. */
export const startTool = (
  [program, ...rest]: Shell,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Running => {
  const start = performance.now();
  const child = spawn(program, [...rest, TOOL, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env, detached: true });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('latin1').on('data', (data: string) => (text.stdout += data));
  child.stderr.setEncoding('utf8').on('data', (data: string) => (text.stderr += data));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...text, ms: performance.now() - start }));
  });
  return { child, ended };
};
