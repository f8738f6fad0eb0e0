// Updates a shared and a private metrics disk without a pause, until it is killed: by itself at the given write, if
// that is not 0. Prints `open` when both are open, and continues at a line of its input.
// Arguments: path of the shared disk, pattern of the private one, UUID, size, write.
import { readSync, writeSync } from 'node:fs';

import { privateDisk } from '../../.cache/modules/sinks/metrics-disk/private-disk.js';
import { privatePaths } from '../../.cache/modules/sinks/metrics-disk/private-paths.js';
import { openResilientDisk } from '../../.cache/modules/sinks/metrics-disk/resilient-disk.js';

const [path, pattern, uuid, size, killAt] = process.argv.slice(2);

let writes = 0;
const pwrite = (fd, bytes, offset, length, position) => {
  writes += 1;
  if (writes === Number(killAt)) process.kill(process.pid, 'SIGKILL');
  return writeSync(fd, bytes, offset, length, position);
};

const metric = (value) =>
  `  <metric type='string' context='host'>\n    <name>A</name>\n    <value>${value}</value>\n  </metric>\n`;
/** Returns documents of very different lengths, so that an update has to clear the end of the previous one. */
const documentOf = (update) => {
  const hostCount = 20 + ((update * 7919) % 500);
  return { host: metric(String(update).padStart(9, '0')).repeat(hostCount), hostCount, domainMetrics: [] };
};

const shared = openResilientDisk({ path, size: Number(size), pwrite });
const own = privateDisk(uuid, privatePaths(pattern), { size: Number(size), pwrite });
if (!own.adopt()) own.keep({ host: '', hostCount: 0, domainMetrics: [] }, undefined, true);
writeSync(1, 'open');
readSync(0, Buffer.alloc(1));
for (let update = 1 + (process.pid % 1000); ; update += 1) {
  shared.write(documentOf(update));
  const { state, warnings } = own.keep(documentOf(update + 1), undefined, true);
  if (state === 'failed') throw new Error(warnings.join());
}
