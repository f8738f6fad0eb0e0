import { HEAP_FLAGS } from '../../src/system/process/v8.ts';

/**
 * Options of Node for a program that runs parts of the daemon: they make the daemon's settings of V8 while it starts, as
 * the daemon does. As options of their own the settings have another effect.
 */
export const AS_DAEMON = [
  '--import',
  `data:text/javascript,${encodeURIComponent(
    `import { setFlagsFromString } from 'node:v8';
     ${JSON.stringify(HEAP_FLAGS)}.forEach((flag) => setFlagsFromString(flag));`,
  )}`,
] as const;
