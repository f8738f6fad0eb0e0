import { writeFileSync } from 'node:fs';

/** Sets the process name for `ps`, `pidof` and `pgrep -x`, followed by the arguments. */
export const nameProcess = (args: readonly string[]): void => {
  process.title = ['vhostmd', ...args].join(' ');
  try {
    // Setting the title also sets the short name, cut to 15 characters (proc(5), comm).
    writeFileSync('/proc/self/comm', 'vhostmd');
  } catch {
    // Without /proc no tool shows the name.
  }
};
