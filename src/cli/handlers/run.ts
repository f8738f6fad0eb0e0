import type { RunOptions } from './daemon.ts';
import { isBackground } from '../../system/process/background.ts';
import { settleSignals } from '../../system/process/signals.ts';
import { nameProcess } from '../../system/process/title.ts';

/** `vhostmd`: runs the daemon, in this process or in the background. */
export const run = async (options: RunOptions): Promise<number | undefined> => {
  settleSignals();
  const args = process.argv.slice(2);
  const background = isBackground();
  if (!options.foreground && !background) {
    const { startInBackground } = await import('../../system/process/start-in-background.ts');
    return await startInBackground(args);
  }
  nameProcess(args);
  await (await import('./daemon.ts')).run(options, background);
  return undefined;
};
