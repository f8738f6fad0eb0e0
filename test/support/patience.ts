import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Returns the factor by which a machine with this load is slower than a quiet one: an integer from 1 to 10. */
export const slowness = (load: number, cpus: number): number => Math.min(10, Math.max(1, Math.ceil(load / cpus)));

/**
 * Returns the number of processes that run or wait for a CPU, by /proc/loadavg: of the last minute, or of now if
 * higher.
 */
export const loadOf = (text: string): number => {
  const [, minute = '0', now = '0'] = /^([\d.]+) .* (\d+)\/\d+ /.exec(text) ?? [];
  return Math.max(Number(minute), Number(now));
};

/** Factor for deadlines on this machine, by its present load. */
export const PATIENCE = slowness(loadOf(readFileSync('/proc/loadavg', 'latin1')), availableParallelism());
