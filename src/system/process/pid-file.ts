import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';

import { asOwner, isRoot, type Owner, ownUser } from './privileges.ts';
import { missingOrDistrusted, isRootsOwn } from '../path-trust.ts';

import { causeOf } from '../../model/reason.ts';

/** Where a background daemon leaves its number unless told otherwise. */
export const DEFAULT_PID_FILE = '/run/vhostmd.pid';

// More than any number, so that not much is read of what is no pid file.
const MOST = 16;

const NO_PID = 'something else';
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const read = (path: string): string | undefined => {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() !== true) return stats === undefined ? undefined : NO_PID;
  const fd = openSync(path, FLAGS);
  try {
    // It may have been replaced since.
    const opened = fstatSync(fd);
    return opened.isFile() && opened.size <= MOST ? readFileSync(fd, 'utf8').trim() : NO_PID;
  } finally {
    closeSync(fd);
  }
};

// Numbers of processes are used again: only one that runs vhostmd counts, by its title or, as it starts, through node.
const runsVhostmd = (pid: number): boolean => {
  try {
    const [program = '', script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return program.startsWith('vhostmd ') || [program, script].some((part) => /^vhostmd(\.cjs)?$/.test(basename(part)));
  } catch {
    return false;
  }
};

const claim = (path: string): (() => void) => {
  const content = read(path);
  if (content !== undefined && !/^\d*$/.test(content)) {
    throw new Error(`${path} is not a pid file, so it is left as it is; remove it or name another with --pid-file`);
  }
  const owner = Number(content);
  if (owner > 0 && owner !== process.pid && runsVhostmd(owner)) {
    throw new Error(`vhostmd runs already as process ${owner}, says the pid file ${path}; stop it first`);
  }
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, `${process.pid}\n`, { flag: 'wx', mode: 0o644 });
    if (content === undefined) {
      // A link, unlike a rename, fails if another daemon has been quicker.
      linkSync(draft, path);
      unlinkSync(draft);
    } else renameSync(draft, path);
  } catch (error) {
    try {
      unlinkSync(draft);
    } catch {
      // It was not written.
    }
    throw new Error(`The pid file ${path} cannot be written: ${causeOf(error)}`, { cause: error });
  }
  return () => {
    try {
      if (readFileSync(path, 'utf8').trim() === String(process.pid)) unlinkSync(path);
    } catch {
      // Gone, or in a directory that only root may change: the next start takes a stale file over.
    }
  };
};

/**
 * Writes our number to the pid file, at once or not at all, and returns what removes the file if it is still ours.
 * A stale file is taken over; one of a running vhostmd, or one that holds something else, is refused with an error.
 * In a folder of the user to be, root acts as that user; in one that others may change it does nothing.
 */
export const claimPidFile = (path: string, owner: Owner = ownUser()): (() => void) => {
  const wrong = isRoot() ? missingOrDistrusted(dirname(path), owner) : undefined;
  if (wrong !== undefined)
    throw new Error(`The pid file ${path} cannot be written: ${wrong.reason}, or name another with --pid-file`);
  return isRootsOwn(dirname(path)) ? claim(path) : asOwner(owner, () => claim(path));
};
