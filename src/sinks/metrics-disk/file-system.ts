import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

// From <linux/magic.h>: tmpfs (devtmpfs has the same), ramfs, hugetlbfs.
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6, 0x958458f6]);

const typeOf = (path: string): number | undefined => {
  try {
    // Some machines return large numbers as negative ones.
    return statfsSync(path).type >>> 0;
  } catch {
    return path === dirname(path) ? undefined : typeOf(dirname(path));
  }
};

/** Returns a warning if the file system of a disk is on a device or a server, which may hang; else undefined. */
export const hangsNotice = (path: string): string | undefined => {
  const type = typeOf(path);
  if (type === undefined || IN_MEMORY.has(type)) return undefined;
  return (
    `${path} is on a file system that is not in memory (type 0x${type.toString(16)}). If its device or server hangs, ` +
    'vhostmd hangs with it: a <path> in /dev/shm or /run is safe from that'
  );
};
