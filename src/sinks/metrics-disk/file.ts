import { closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { dirname } from 'node:path';

import { tryLock } from '../../libc.ts';
import { CHUNK, wholeChunks } from './format.ts';
import { writeZeros } from './update.ts';
import type { Pwrite } from './update.ts';
import { reasonOf } from '../../reason.ts';

/** An open, locked file that passed all checks; `dev` and `ino` tell whether the path still names it. */
export interface DiskFile {
  readonly fd: number;
  readonly size: number;
  readonly dev: number;
  readonly ino: number;
  readonly created: boolean;
}

// O_NONBLOCK: a fifo put there between the check and the opening must not hang the daemon. Node adds O_CLOEXEC.
const FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const MODE = 0o644;

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

const kindOf = (stats: Stats): string | undefined => {
  if (stats.isFile()) return undefined;
  if (stats.isSymbolicLink()) return 'a symbolic link';
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a fifo';
  if (stats.isSocket()) return 'a socket';
  return stats.isBlockDevice() ? 'a block device' : 'a character device';
};

const RELABEL =
  "If libvirt gave it to the user of QEMU, put <seclabel model='dac' relabel='no'/> into the <source> of the disk " +
  'in the domain XML, and give the file back with chown';

const refuse = (path: string, stats: Stats, uid: number): void => {
  const advice = 'remove it, or name another <path> for the disk';
  const kind = kindOf(stats);
  if (kind !== undefined) throw new Error(`${path} is ${kind}, and a metrics disk must be a regular file: ${advice}`);
  if (stats.nlink > 1)
    throw new Error(`${path} has ${stats.nlink} hard links, and a metrics disk must have no second name: ${advice}`);
  if (stats.uid !== 0 && stats.uid !== uid)
    throw new Error(`${path} belongs to user ${stats.uid}, and must belong to root or to user ${uid}. ${RELABEL}`);
};

/** The metadata of what a path names, links not followed; undefined if there is nothing. */
export const statPath = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

const explain = (path: string, error: unknown, found: Stats | undefined): Error => {
  const code = codeOf(error);
  if (code === 'ENOENT') return new Error(`${path} cannot be created, because ${dirname(path)} does not exist`);
  if (code === 'EEXIST' || code === 'ELOOP')
    return new Error(`${path} was replaced while it was being opened (${code})`);
  if ((code === 'EACCES' || code === 'EPERM') && found !== undefined)
    return new Error(`${path} belongs to user ${found.uid} and may not be written (${code}). ${RELABEL}`);
  return new Error(`${path} cannot be opened: ${reasonOf(error)}`);
};

const openOrCreate = (path: string, uid: number): { readonly fd: number; readonly created: boolean } => {
  // Looked at before it is opened, because some devices act on being opened.
  const found = statPath(path);
  if (found !== undefined) refuse(path, found, uid);
  try {
    const fd = openSync(path, found === undefined ? FLAGS | constants.O_CREAT | constants.O_EXCL : FLAGS, MODE);
    return { fd, created: found === undefined };
  } catch (error) {
    throw explain(path, error, found);
  }
};

/** Makes a file `size` bytes long and backed by storage throughout, so that a full file system is met here and now. */
export const allocate = (pwrite: Pwrite, fd: number, size: number): void => {
  const stats = fstatSync(fd);
  if (stats.blocks * 512 < stats.size) {
    const chunk = Buffer.alloc(CHUNK);
    const zeros = Buffer.alloc(CHUNK);
    for (let at = 0; at < stats.size; at += CHUNK) {
      const length = readSync(fd, chunk, 0, CHUNK, at);
      if (chunk.compare(zeros, 0, length, 0, length) === 0) writeZeros(pwrite, fd, at, at + length);
    }
  }
  writeZeros(pwrite, fd, stats.size, size);
};

/** Opens or creates the file of a metrics disk without changing its content, locks it, and grows it to `size` bytes. */
export const openFile = (path: string, size: number, uid: number, pwrite: Pwrite): DiskFile => {
  const { fd, created } = openOrCreate(path, uid);
  try {
    if (created) fchmodSync(fd, MODE);
    const stats = fstatSync(fd);
    refuse(path, stats, uid);
    if (!tryLock(fd))
      throw new Error(
        `${path} is already in use by another vhostmd: stop that one, or name another <path> for the disk`,
      );
    const whole = wholeChunks(Math.max(size, stats.size));
    try {
      allocate(pwrite, fd, whole);
    } catch (cause) {
      throw new Error(`${path} cannot be made ${whole} bytes long: ${reasonOf(cause)}`, { cause });
    }
    return { fd, size: whole, dev: stats.dev, ino: stats.ino, created };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};
