import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const setLimit = (soft: string): void => {
  execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft}:`]);
};

/** Limits the descriptors of this process. Returns a function that restores the former limit. */
export const limitDescriptors = (most: number): (() => void) => {
  const [, before = ''] = /^Max open files +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  setLimit(String(most));
  return () => setLimit(before);
};
