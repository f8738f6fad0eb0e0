import { readdirSync, readFileSync } from 'node:fs';

import { exitNow } from '../libc.ts';

// Milliseconds. Actions get SIGTERM first and SIGKILL after their grace; remaining children are killed here.
const CHILDREN_WAIT = 1000;
const LOOK_AGAIN = 50;

// Not every kernel has /proc/self/task/*/children. In `stat`, state and parent follow the name in parentheses.
const children = (): readonly number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const stat = pid > 0 ? readFileSync(`/proc/${pid}/stat`, 'latin1') : '';
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(parent) === process.pid && state !== 'Z';
      } catch {
        return false;
      }
    });

const kill = (pid: number): void => {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
    } catch {
      // It has ended, or does not lead a group.
    }
  }
};

/**
 * Kills the remaining children and ends the process. Unlike process.exit(), does not wait for worker threads, which may
 * hang in libvirt while a domain or libvirtd is frozen.
 */
export const exitWithoutChildren = (code: number): void => {
  const until = performance.now() + CHILDREN_WAIT;
  const look = (): void => {
    const left = children();
    if (left.length > 0 && performance.now() < until) {
      setTimeout(look, LOOK_AGAIN);
      return;
    }
    left.forEach(kill);
    // Runs the listeners that process.exit() would run: one kills the groups of actions whose leader has ended.
    process.emit('exit', code);
    exitNow(code);
  };
  look();
};
