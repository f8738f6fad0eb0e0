import { closeSync, openSync, readdirSync } from 'node:fs';

import { closeOnExec } from '../libc.ts';

/** Marks inherited descriptors close-on-exec, so that actions get only their own input and output. */
export const keepDescriptorsFromChildren = (): void => {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd > 2) closeOnExec(fd);
};

/** Descriptors that whatever keeps some open leaves to the rest of the daemon: files of the host, actions, a reload. */
export const SPARE_DESCRIPTORS = 32;

/**
 * Checks that `count` more files can be opened.
 *
 * @throws the error of the open that failed, such as EMFILE.
 */
export const probeDescriptors = (count: number): void => {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync('/dev/null', 'r'));
  } finally {
    opened.forEach((descriptor) => closeSync(descriptor));
  }
};
