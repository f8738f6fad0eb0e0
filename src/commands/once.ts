import { firstValueFrom, of } from 'rxjs';

import { pipeline$ } from '../daemon.ts';
import { createLog } from '../log.ts';
import { document, metricsXml } from '../metrics-xml.ts';
import { monotonicScheduler } from '../monotonic.ts';
import { problemLines$ } from '../problems.ts';
import { exitWithoutChildren } from '../process/exit.ts';
import { loadSetup } from './config.ts';

/** `vhostmd once`: collects everything once, slow actions included, prints the XML. Nothing is opened or written. */
export const once = async (options: {
  readonly config: string;
  readonly connect?: string;
}): Promise<number | undefined> => {
  const loaded = loadSetup(options.config, { scheduler: monotonicScheduler, write: () => undefined });
  if (!loaded.ok) {
    for (const line of loaded.errors) console.error(line);
    return 2;
  }
  const log = createLog({ verbose: false, background: false });
  const quiet: typeof log = (level, component, message) => {
    if (level !== 'notice') log(level, component, message);
  };
  const uri = options.connect === undefined ? {} : { connect: options.connect };
  const { config } = loaded.setup;
  const all$ = pipeline$(config, { ...uri, scheduler: monotonicScheduler, log: quiet }, config.updatePeriod);
  const snapshot = await firstValueFrom(all$);
  problemLines$(of(snapshot)).subscribe(({ level, message }) => quiet(level, 'metrics', message));
  process.stdout.write(document(metricsXml(snapshot)));
  exitWithoutChildren(0);
  return undefined;
};
