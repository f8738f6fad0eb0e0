import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Starts busy loops beside the daemon; returns a function that ends them. */
export const burden = (count: number): (() => void) => {
  const loops = Array.from({ length: count }, (): ChildProcess =>
    spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
  );
  return () => loops.forEach((loop) => loop.kill('SIGKILL'));
};

/** Returns the CPU time of each thread of a process in ms (proc(5), schedstat), by number and name. */
export const threadsOf = (pid: number): ReadonlyMap<string, number> => {
  const folder = `/proc/${pid}/task`;
  return new Map(
    readdirSync(folder).flatMap((thread) => {
      try {
        const name = readFileSync(`${folder}/${thread}/comm`, 'utf8').trim();
        const [nanoseconds] = readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ');
        return [[`${thread} ${name}`, Number(nanoseconds) / 1e6] as const];
      } catch {
        return [];
      }
    }),
  );
};

/** Returns the machine's load average over one minute. */
export const loadNow = (): number => Number.parseFloat(readFileSync('/proc/loadavg', 'utf8'));
