import { readdirSync, readFileSync } from 'node:fs';

import { exitNow } from '../libc.ts';

// Actions get SIGTERM first and SIGKILL after their grace; what is still there then is killed here.
const CHILDREN_WAIT = 1000;
const LOOK_AGAIN = 50;

// Not /proc/self/task/*/children: not every kernel has it. Behind the name, in parentheses, stand state and parent.
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
      // It has ended meanwhile, or leads no group.
    }
  }
};

/**
 * Ends the process with no child left. It does not wait for worker threads, which may hang in libvirt for as long as
 * a domain or libvirtd is frozen; process.exit() would.
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
    // What process.exit() would run, such as the end of the groups of actions that have lost their leader.
    process.emit('exit', code);
    exitNow(code);
  };
  look();
};
