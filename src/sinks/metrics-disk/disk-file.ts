import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
} from 'node:fs';
import type { Stats } from 'node:fs';

import { tryLock } from '../../system/libc.ts';
import { isRoot } from '../../system/process/privileges.ts';
import type { Owner } from '../../system/process/privileges.ts';
import { causeOf, codeOf, isDenied } from '../../model/reason.ts';
import { byOwnerOrRoot, makeFolder } from './folder.ts';
import { CHUNK, wholeChunks } from './format.ts';
import { MODE, takeFile, wrongOwner } from './ownership.ts';
import { writeAll, writeZeros } from './disk-writer.ts';
import type { Pwrite } from './disk-writer.ts';

/** An open, locked file that passed all checks. `dev` and `ino` show if the path still names it. */
export interface DiskFile {
  readonly fd: number;
  readonly size: number;
  readonly dev: number;
  readonly ino: number;
  readonly created: boolean;
  /** Message for the log if the file belonged to another user or had another mode. */
  readonly taken?: string;
}

/** Thrown if another vhostmd has the disk open. */
export class DiskInUse extends Error {}

/** From <fcntl.h>; Node lacks it. Opens a file only for its metadata, without effect on a fifo or a device. */
export const O_PATH = 0o10000000;
const PATH_FLAGS = O_PATH | constants.O_NOFOLLOW;
const OPEN_FLAGS = constants.O_RDWR | constants.O_NONBLOCK;
const CREATE_FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_CREAT | constants.O_EXCL;

const kindOf = (stats: Stats): string | undefined => {
  if (stats.isFile()) return undefined;
  if (stats.isSymbolicLink()) return 'a symbolic link';
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a fifo';
  if (stats.isSocket()) return 'a socket';
  return stats.isBlockDevice() ? 'a block device' : 'a character device';
};

const refuse = (path: string, stats: Stats, owner: Owner): void => {
  const advice = 'remove it, or name another <path> for the disk';
  const kind = kindOf(stats);
  if (kind !== undefined) throw new Error(`${path} is ${kind}, and a metrics disk must be a regular file: ${advice}`);
  if (stats.nlink > 1)
    throw new Error(`${path} has ${stats.nlink} hard links, and a metrics disk must have no second name: ${advice}`);
  // Root takes it over.
  if (!isRoot() && stats.uid !== 0 && stats.uid !== owner.uid) throw wrongOwner(path, stats, owner);
};

/** Returns the metadata at a path without following links; undefined if there is nothing. */
export const statPath = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

const explain = (path: string, error: unknown, owner: Owner, found?: Stats): Error => {
  if (isDenied(error) && found !== undefined && found.uid !== owner.uid)
    return wrongOwner(path, found, owner, codeOf(error));
  return new Error(`${path} cannot be opened: ${causeOf(error)}`, { cause: error });
};

const openToLook = (path: string, at: string, owner: Owner): number | undefined => {
  try {
    return openSync(at, PATH_FLAGS);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw explain(path, error, owner);
  }
};

/** Opens an existing file through a descriptor, so that it is the one that was checked; undefined without a file. */
const openThere = (path: string, at: string, owner: Owner): number | undefined => {
  const look = openToLook(path, at, owner);
  if (look === undefined) return undefined;
  try {
    const found = fstatSync(look);
    refuse(path, found, owner);
    const real = `/proc/self/fd/${look}`;
    try {
      // Our own file may be read-only; root can write to it anyway.
      if (!isRoot() && found.uid === owner.uid && (found.mode & 0o200) === 0) chmodSync(real, found.mode | MODE);
      return openSync(real, OPEN_FLAGS);
    } catch (error) {
      throw explain(path, error, owner, found);
    }
  } finally {
    closeSync(look);
  }
};

const create = (path: string, owner: Owner): number => {
  const make = (): number => {
    const fd = openSync(path, CREATE_FLAGS, MODE);
    if (isRoot()) fchownSync(fd, owner.uid, owner.gid);
    return fd;
  };
  try {
    makeFolder(path, owner);
    return byOwnerOrRoot(path, owner, make);
  } catch (error) {
    if (codeOf(error) === 'EEXIST')
      throw new Error(`${path} was replaced while it was being opened (EEXIST)`, { cause: error });
    throw codeOf(error) === undefined ? error : explain(path, error, owner);
  }
};

/** Extends a file to `size` bytes with real storage, so that a full file system shows now. */
export const allocate = (pwrite: Pwrite, fd: number, size: number): void => {
  const stats = fstatSync(fd);
  if (stats.blocks * 512 < stats.size) {
    // The same bytes again, which no reader notices.
    const chunk = Buffer.alloc(CHUNK);
    for (let at = 0; at < stats.size; at += CHUNK) writeAll(pwrite, fd, chunk, readSync(fd, chunk, 0, CHUNK, at), at);
  }
  writeZeros(pwrite, fd, stats.size, size);
};

/**
 * Opens, makes or takes over the file of a metrics disk for `owner` without changing its content; locks it, and extends
 * it to `size` bytes. `at`: another path to the same file, for opening it.
 */
export const openFile = (path: string, size: number, owner: Owner, pwrite: Pwrite, at = path): DiskFile => {
  const there = openThere(path, at, owner);
  const fd = there ?? create(path, owner);
  const created = there === undefined;
  try {
    if (!tryLock(fd))
      throw new DiskInUse(
        `${path} is already in use by another vhostmd: stop that one, or name another <path> for the disk`,
      );
    if (created) fchmodSync(fd, MODE);
    const taken = created ? undefined : takeFile(fd, path, owner);
    const stats = fstatSync(fd);
    const whole = wholeChunks(Math.max(size, stats.size));
    try {
      allocate(pwrite, fd, whole);
    } catch (cause) {
      throw new Error(`${path} cannot be made ${whole} bytes long: ${causeOf(cause)}`, { cause });
    }
    const file = { fd, size: whole, dev: stats.dev, ino: stats.ino, created };
    return taken === undefined ? file : { ...file, taken };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};
