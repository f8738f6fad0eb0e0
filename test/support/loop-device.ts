import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Whether this machine has loop devices, and this process may use them. */
export const canLoop = process.getuid?.() === 0 && spawnSync('losetup', ['--find'], { stdio: 'ignore' }).status === 0;

/** A block device with a file behind it, as a disk of the host that nobody else may write to. */
export interface LoopDevice {
  readonly path: string;
  /** Detaches the device; whether a byte is another one, and what its owner and mode are. */
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
      // What was written to the device is in the file when nobody has it open any more.
      execFileSync('blockdev', ['--flushbufs', device]);
      execFileSync('losetup', ['--detach', device]);
      const changed = !readFileSync(file).equals(bytes);
      rmSync(folder, { recursive: true, force: true });
      return { changed, uid, gid, mode };
    },
  };
};
