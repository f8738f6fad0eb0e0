import { describe, expect, it } from 'vitest';

import { hangsNotice } from '../../../src/sinks/metrics-disk/file-system.ts';

describe('the file system of a disk', () => {
  it.each(['/dev/shm/disk', '/dev/shm/none/none/disk', '/dev/null'])(
    'of %s is in memory, and does not hang',
    (path) => {
      expect(hangsNotice(path)).toBe(undefined);
    },
  );

  it.each(['/proc/self/comm', '/proc/none/none'])('of %s is not in memory, which is a warning', (path) => {
    expect(hangsNotice(path)).toBe(
      `${path} is on a file system that is not in memory (type 0x9fa0). If its device or server hangs, vhostmd hangs ` +
        'with it: a <path> in /dev/shm or /run is safe from that',
    );
  });
});
