import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** True if this machine has loop devices and this process may use them. */
export const canLoop = process.getuid?.() === 0 && spawnSync('losetup', ['--find'], { stdio: 'ignore' }).status === 0;

/** A block device with a file behind it, in place of a disk of the host. */
export interface LoopDevice {
  readonly path: string;
  /** Detaches the device; returns whether a byte has changed, and the owner and mode. */
  readonly end: () => { readonly changed: boolean; readonly uid: number; readonly gid: number; readonly mode: number };
}

/** Attaches a file with these bytes to a loop device. */
export const loopDevice = (bytes: Buffer): LoopDevice => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-loop-'));
  const file = path.join(folder, 'file');
  writeFileSync(file, bytes);
  const device = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
  const { uid: before, gid: group } = statSync(device);
  return {
    path: device,
    end: () => {
      const { uid, gid, mode } = statSync(device);
      chownSync(device, before, group);
      // Writes cached bytes to the file.
      execFileSync('blockdev', ['--flushbufs', device]);
      execFileSync('losetup', ['--detach', device]);
      const changed = !readFileSync(file).equals(bytes);
      rmSync(folder, { recursive: true, force: true });
      return { changed, uid, gid, mode };
    },
  };
};
