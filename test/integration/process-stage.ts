import { afterEach } from 'vitest';

import { type RunningDaemon, scratch, type Scratch, startDaemon } from '../support/daemon.ts';

/** Makes configurations and daemons; after each test of a file it stops the daemons and removes the files. */
export const stage = (): {
  readonly place: (...args: Parameters<typeof scratch>) => Scratch;
  readonly start: (...args: Parameters<typeof startDaemon>) => Promise<RunningDaemon>;
} => {
  const scratches: Scratch[] = [];
  const daemons: RunningDaemon[] = [];
  afterEach(async () => {
    for (const { child, stop } of daemons.splice(0))
      if (child.exitCode === null && child.signalCode === null) await stop('SIGKILL');
    for (const { remove } of scratches.splice(0)) remove();
  });
  return {
    place: (...args) => {
      const made = scratch(...args);
      scratches.push(made);
      return made;
    },
    start: async (...args) => {
      const daemon = await startDaemon(...args);
      daemons.push(daemon);
      return daemon;
    },
  };
};
