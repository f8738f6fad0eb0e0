import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { documentOn } from '../sinks/metrics-disk/harness.ts';

/** Returns what is wrong with a disk, which must have a whole document, possibly empty, and only zeros behind it. */
export const faultOf = (path: string): string | undefined => {
  try {
    const xml = documentOn(path);
    const whole = /^<metrics>[ \t]*\n(?: {2}<metric [^]*<\/metric>)?[ \t]*\n?<\/metrics>\n$/.test(xml);
    return whole ? undefined : `no document: ${xml.slice(0, 100)}`;
  } catch (error) {
    return String(error);
  }
};

/** Returns the different values on a disk. */
export const valuesOn = (path: string): ReadonlySet<string | undefined> =>
  new Set(Array.from(readFileSync(path, 'latin1').matchAll(/<value>(.*?)</g), ([, value]) => value));

/** Returns true if readers have to wait: the disk was left in the middle of an update. */
export const isBusy = (path: string): boolean => existsSync(path) && readFileSync(path)[7] === 1;

/** Opens a file as QEMU does; `isSame` returns true while the path names the same file. */
export const hold = (path: string): { readonly isSame: () => boolean; readonly close: () => void } => {
  const fd = openSync(path, 'r');
  return {
    isSame: () => {
      const [held, named] = [fstatSync(fd), statSync(path)];
      return held.ino === named.ino && held.dev === named.dev && held.nlink === 1;
    },
    close: () => closeSync(fd),
  };
};

/** Runs `work` with a folder for disks, and removes the folder afterwards. */
export const withFolder = async (work: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'vhostmd-crash-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
