import { availableParallelism, loadavg } from 'node:os';

/** By how much a machine with so much to do per CPU is slower than a quiet one: a whole number, 1 to 10. */
export const slowness = (load: number, cpus: number): number => Math.min(10, Math.max(1, Math.ceil(load / cpus)));

/** By how much deadlines are longer on this machine, as busy as it is now. */
export const PATIENCE = slowness(loadavg()[0] ?? 0, availableParallelism());
