import type { Stage } from '../../model/metric.ts';
import { codeOf } from '../../model/reason.ts';
import { decodeOutput, escapeForLog } from '../../model/value.ts';
import type { Exit } from '../../system/process/posix-spawn.ts';

export type Failure = { readonly ok: false; readonly stage: Stage; readonly reason: string };
export type Printed = { readonly ok: true; readonly output: string } | Failure;

// Longest untrusted text copied into a log line.
const MAX_REASON = 512;

const WHY: Readonly<Record<string, string>> = {
  EMFILE: 'too many open files; raise LimitNOFILE',
  ENFILE: 'too many open files in the system',
  EAGAIN: 'too many processes; raise TasksMax',
  ENOMEM: 'out of memory',
  E2BIG: 'the command is too long for the kernel',
  ENOENT: 'there is no /bin/sh',
};

/** Describes why the process could not be started. */
export const startFailure = (error: unknown): Failure => {
  const code = codeOf(error) ?? '';
  const why = WHY[code] ?? escapeForLog(String(error), 128);
  return { ok: false, stage: 'start', reason: `cannot be started: ${why}${code === '' ? '' : ` (${code})`}` };
};

/** Returns the result of a run that ended by itself. */
export const exitResult = ({ code, signal }: Exit, output: Uint8Array, errors: Uint8Array): Printed => {
  if (code === 0) return { ok: true, output: decodeOutput(output) };
  const line = decodeOutput(errors).trim().split('\n', 1)[0] ?? '';
  const how = code === null ? `was ended by ${signal ?? 'something unknown'}` : `exited with status ${code}`;
  const said = line === '' ? '' : `: ${escapeForLog(line, MAX_REASON - how.length - 2)}`;
  return { ok: false, stage: 'run', reason: how + said };
};
