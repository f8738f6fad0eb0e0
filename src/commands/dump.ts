import { firstValueFrom } from 'rxjs';

import { dump$, toJson } from '../dump.ts';
import { monotonicScheduler } from '../monotonic.ts';

/** `vhostmd dump`: prints the verified content of a metrics disk, or what a channel replies. Exit status 1 if it cannot be read or is not valid. */
export const dump = async (target: string, json: boolean): Promise<number> => {
  const dumped = await firstValueFrom(dump$(target, { scheduler: monotonicScheduler }));
  if (!dumped.ok) {
    console.error(`vhostmd: ${dumped.message}`);
    return 1;
  }
  process.stdout.write(json ? toJson(dumped.metrics) : dumped.xml);
  return 0;
};
