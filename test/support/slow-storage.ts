import { spawn } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';

import { until } from './daemon.ts';

/** A network disk for QEMU, from nbdkit: `source` is its element in the XML of a disk. */
export interface NetworkDisk {
  readonly source: string;
  readonly close: () => void;
}

/** Starts nbdkit on a socket in `folder`, as the user of the private libvirtd's QEMU may open it. */
export const networkDisk = async (folder: string, ...args: readonly string[]): Promise<NetworkDisk> => {
  const socket = path.join(folder, `nbd-${Math.random().toString(36).slice(2)}.sock`);
  const server = spawn('nbdkit', ['-f', '-U', socket, ...args], { stdio: 'ignore' });
  await until('nbdkit listens', () => existsSync(socket));
  chmodSync(socket, 0o666);
  return {
    // Without a name of the export libvirt 9 does not report I/O errors.
    source: `<source protocol='nbd' name='disk'><host transport='unix' socket='${socket}'/></source>`,
    close: () => {
      server.kill('SIGKILL');
      rmSync(socket, { force: true });
    },
  };
};
