import { closeSync, constants, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';

import { tryLock } from '../../system/libc.ts';
import { statPath } from './disk-file.ts';
import { SIGNATURE } from './format.ts';

/**
 * Milliseconds without a write after which a disk is stale. The hook makes a disk before libvirt reports the domain,
 * and a big VM starts slowly; disks in use are touched at every tick.
 */
const STALE_AFTER_MS = 300_000;

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
    // It is gone, or may not be read.
  }
  return undefined;
};

const hasSignature = (fd: number): boolean => {
  const { nlink } = fstatSync(fd);
  const bytes = Buffer.alloc(4);
  return nlink === 1 && readSync(fd, bytes, 0, 4, 0) === 4 && bytes.readUInt32BE(0) === SIGNATURE;
};

/** True if a file is a metrics disk, with a valid document or not. */
export const isMetricsDisk = (path: string): boolean => withFile(path, hasSignature) === true;

/** True if a file has not been written or touched for long, or does not exist. */
export const isStale = (path: string): boolean => {
  const stats = statPath(path);
  return stats === undefined || Date.now() - stats.mtimeMs > STALE_AFTER_MS;
};

/** Removes a file if it is a stale metrics disk that is not in use. Returns true if it did. */
export const removeOrphan = (path: string): boolean =>
  withFile(path, (fd) => {
    if (!hasSignature(fd) || !isStale(path) || !tryLock(fd)) return false;
    unlinkSync(path);
    return true;
  }) === true;
