import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** By how much a machine with so much to do per CPU is slower than a quiet one: a whole number, 1 to 10. */
export const slowness = (load: number, cpus: number): number => Math.min(10, Math.max(1, Math.ceil(load / cpus)));

/** The processes that run or wait for a CPU by a /proc/loadavg: of the last minute, or of now if those are more. */
export const loadOf = (text: string): number => {
  const [, minute = '0', now = '0'] = /^([\d.]+) .* (\d+)\/\d+ /.exec(text) ?? [];
  return Math.max(Number(minute), Number(now));
};

/** By how much deadlines are longer on this machine, as busy as it is now. */
export const PATIENCE = slowness(loadOf(readFileSync('/proc/loadavg', 'latin1')), availableParallelism());
