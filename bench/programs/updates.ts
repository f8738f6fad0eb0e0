// Updates a metrics disk with bodies of 256 KiB; sends how long each update sets `busy`, in us.
// Arguments: the path of the disk, the number of updates.
import { writeSync } from 'node:fs';

import { BUSY_OFFSET } from '../../src/sinks/metrics-disk/format.ts';
import { openDisk } from '../../src/sinks/metrics-disk/open-disk.ts';
import { uniqueSums } from '../../src/sinks/metrics-disk/checksum-padding.ts';
import type { Pwrite } from '../../src/sinks/metrics-disk/disk-writer.ts';

export interface BusyWindows {
  readonly windows: readonly number[];
}

const BODY = 256 * 1024;
const DISK = 320 * 1024;

const [path = '', updates = ''] = process.argv.slice(2);
const windows: number[] = [];
let since: number | undefined;

// From before the write of busy=1 to after that of busy=0: slightly longer than readers see it.
const pwrite: Pwrite = (fd, bytes, offset, length, position) => {
  const starts = position === BUSY_OFFSET && since === undefined;
  if (starts) since = performance.now();
  const written = writeSync(fd, bytes, offset, length, position);
  if (position === BUSY_OFFSET && !starts && since !== undefined) {
    windows.push((performance.now() - since) * 1000);
    since = undefined;
  }
  return written;
};

const line = (value: number): string => `    <value>${String(value).padStart(12, '0')}</value>\n`;
const lines = Math.floor(BODY / line(0).length);
const rest = line(0).repeat(lines - 1);

const disk = openDisk({ path, size: DISK, pwrite }, uniqueSums());
windows.length = 0;
since = undefined;
for (let update = 1; update <= Number(updates); update += 1) disk.publish([line(update), rest]);
disk.close();
process.send?.({ windows } satisfies BusyWindows);
