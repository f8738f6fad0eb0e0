import { closeSync, constants, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';

import { tryLock } from '../../system/libc.ts';
import { statPath } from './disk-file.ts';
import { SIGNATURE } from './format.ts';

/**
 * In milliseconds. The hook makes a disk before libvirt tells of the domain, and a big VM takes its time to start;
 * disks in use are touched all the time.
 */
const YOUNG = 300_000;

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const withFile = <T>(path: string, look: (fd: number) => T): T | undefined => {
  try {
    if (statPath(path)?.isFile() !== true) return undefined;
    const fd = openSync(path, FLAGS);
    try {
      return look(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
};

const hasSignature = (fd: number): boolean => {
  const { nlink } = fstatSync(fd);
  const bytes = Buffer.alloc(4);
  return nlink === 1 && readSync(fd, bytes, 0, 4, 0) === 4 && bytes.readUInt32BE(0) === SIGNATURE;
};

/** Whether a file is a metrics disk, its document valid or not. */
export const isMetricsDisk = (path: string): boolean => withFile(path, hasSignature) === true;

/** Whether nobody has written to or touched a file for long, or there is none. */
export const isStale = (path: string): boolean => {
  const stats = statPath(path);
  return stats === undefined || Date.now() - stats.mtimeMs > YOUNG;
};

/** Removes a metrics disk that nobody keeps, and tells whether it did: nothing else, none in use and no young one. */
export const removeOrphan = (path: string): boolean =>
  withFile(path, (fd) => {
    if (!hasSignature(fd) || !isStale(path) || !tryLock(fd)) return false;
    unlinkSync(path);
    return true;
  }) === true;
