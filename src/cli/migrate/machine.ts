import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

import type { Machine } from './recognise.ts';
import { XEN } from './sample-host.ts';

/** Finds out about this machine what the values of some pipelines depend on. */
export const thisMachine = (): Machine => {
  const { stdout } = spawnSync('free', ['--version'], { encoding: 'utf8', timeout: 5000 });
  const version = /procps\S* (?:version )?(\d+)\./.exec(stdout ?? '')?.[1];
  return { procps: version === '3' ? 3 : version === '4' ? 4 : undefined, xen: existsSync(XEN) };
};
