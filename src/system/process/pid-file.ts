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

/** Pid file of a daemon in the background without --pid-file. */
export const DEFAULT_PID_FILE = '/run/vhostmd.pid';

// Longer than any number: limits how much is read of a file that is not a pid file.
const MOST = 16;

const NO_PID = 'something else';
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const read = (path: string): string | undefined => {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() !== true) return stats === undefined ? undefined : NO_PID;
  const fd = openSync(path, FLAGS);
  try {
    // It may have been replaced since lstat.
    const opened = fstatSync(fd);
    return opened.isFile() && opened.size <= MOST ? readFileSync(fd, 'utf8').trim() : NO_PID;
  } finally {
    closeSync(fd);
  }
};

// Pids are reused: only a process that runs vhostmd counts, by its title or, while it starts, by the script of node.
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
    throw new Error(`vhostmd is already running as process ${owner} (pid file ${path}); stop it first`);
  }
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, `${process.pid}\n`, { flag: 'wx', mode: 0o644 });
    if (content === undefined) {
      // Unlike rename, link fails if another daemon was faster.
      linkSync(draft, path);
      unlinkSync(draft);
    } else renameSync(draft, path);
  } catch (error) {
    try {
      unlinkSync(draft);
    } catch {
      // The draft was not written.
    }
    throw new Error(`The pid file ${path} cannot be written: ${causeOf(error)}`, { cause: error });
  }
  return () => {
    try {
      if (readFileSync(path, 'utf8').trim() === String(process.pid)) unlinkSync(path);
    } catch {
      // It is gone, or its folder belongs to root: the next start replaces a stale file.
    }
  };
};

/**
 * Writes our pid to the pid file atomically, and returns a function that removes it if it is still ours. Replaces a
 * stale file. In a folder of `owner`, root acts as that user.
 *
 * @throws Error if vhostmd runs already, the file is not a pid file or not writable, or others can replace its folder.
 */
export const claimPidFile = (path: string, owner: Owner = ownUser()): (() => void) => {
  const wrong = isRoot() ? missingOrDistrusted(dirname(path), owner) : undefined;
  if (wrong !== undefined)
    throw new Error(`The pid file ${path} cannot be written: ${wrong.reason}, or name another with --pid-file`);
  return isRootsOwn(dirname(path)) ? claim(path) : asOwner(owner, () => claim(path));
};
