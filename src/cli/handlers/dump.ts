import { firstValueFrom } from 'rxjs';

import { dump$, toJson } from '../../client/read-metrics.ts';
import { monotonicScheduler } from '../../system/monotonic.ts';
import { complain, shownAt } from '../../system/safe-output.ts';

/** `vhostmd dump`: prints the verified content of a metrics disk or the reply of a channel. Exit status 1: failure. */
export const dump = async ({ target, json }: { readonly target: string; readonly json: boolean }): Promise<number> => {
  const dumped = await firstValueFrom(dump$(target, { scheduler: monotonicScheduler }));
  if (!dumped.ok) {
    complain(`vhostmd: ${dumped.error}`);
    return 1;
  }
  const text = json ? toJson(dumped.value.metrics) : dumped.value.xml;
  process.stdout.write(shownAt(process.stdout, text, json ? 'json' : 'xml'));
  return 0;
};
