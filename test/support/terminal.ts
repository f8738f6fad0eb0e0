import { spawnSync } from 'node:child_process';
import { PATIENCE } from './patience.ts';

const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** Runs a command at a terminal (script(1), util-linux); returns its output without the CR that a terminal adds. */
export const atTerminal = (
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly status: number | null; readonly text: string } => {
  const { status, stdout, error } = spawnSync('/usr/bin/script', ['-qec', words.map(quoted).join(' '), '/dev/null'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 50_000 * PATIENCE,
    env: { ...process.env, SHELL: '/bin/sh', ...env },
  });
  if (error !== undefined) throw error;
  return { status, text: stdout.toString('latin1').replaceAll('\r\n', '\n') };
};
