import { closeSync, openSync, readdirSync } from 'node:fs';

import { closeOnExec } from '../libc.ts';

/** Keeps what we were started with from the actions: only their own input and output may reach them. */
export const keepDescriptorsFromChildren = (): void => {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd > 2) closeOnExec(fd);
};

/** Throws, as an open would, unless so many more files can be opened. */
export const probeDescriptors = (count: number): void => {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync('/dev/null', 'r'));
  } finally {
    opened.forEach((descriptor) => closeSync(descriptor));
  }
};
