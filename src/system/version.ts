import { readFileSync } from 'node:fs';

import { PROGRAM_URL } from './program.ts';

/** Version of the package. */
export const version = (): string =>
  (JSON.parse(readFileSync(new URL('../package.json', PROGRAM_URL), 'utf8')) as { version: string }).version;
