import { readdirSync } from 'node:fs';

import { closeOnExec } from '../libc.ts';

/** Keeps what we were started with from the actions: only their own input and output may reach them. */
export const keepDescriptorsFromChildren = (): void => {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd > 2) closeOnExec(fd);
};
