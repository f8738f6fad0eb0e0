import { writeFileSync } from 'node:fs';

/** Name of the daemon in lists of processes, for `ps`, `pidof` and `pgrep -x`; its arguments stay visible behind it. */
export const nameProcess = (args: readonly string[]): void => {
  process.title = ['vhostmd', ...args].join(' ');
  try {
    // The title is the short name as well, cut to 15 characters, until it is told apart (proc(5), comm).
    writeFileSync('/proc/self/comm', 'vhostmd');
  } catch {
    // Without /proc there is nobody to see it.
  }
};
