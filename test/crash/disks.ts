import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { documentOn } from '../sinks/metrics-disk/harness.ts';

/** What is wrong with a disk: it must hold a whole document, be it an empty one, and nothing behind it. */
export const faultOf = (path: string): string | undefined => {
  try {
    const xml = documentOn(path);
    const whole = /^<metrics>[ \t]*\n(?: {2}<metric [^]*<\/metric>)?[ \t]*\n?<\/metrics>\n$/.test(xml);
    return whole ? undefined : `no document: ${xml.slice(0, 100)}`;
  } catch (error) {
    return String(error);
  }
};

/** The different values on a disk. */
export const valuesOn = (path: string): ReadonlySet<string | undefined> =>
  new Set(Array.from(readFileSync(path, 'latin1').matchAll(/<value>(.*?)</g), ([, value]) => value));

/** Whether readers of a disk have to wait: it was left in the middle of an update. */
export const isBusy = (path: string): boolean => existsSync(path) && readFileSync(path)[7] === 1;

/** Holds a file open as QEMU does; tells whether that is still what the path names. */
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

/** A folder for disks, removed at the end. */
export const withFolder = async (work: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'vhostmd-crash-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
