import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import path from 'node:path';

import { type Owner, ownUser, userName } from './process/privileges.ts';

/** A folder, or a link on the way to it, that another user could replace. */
export interface Distrusted {
  readonly at: string;
  /** The problem, its place, and the command that fixes it. */
  readonly reason: string;
}

// As many links as the kernel follows (path_resolution(7)).
const LINKS = 40;
const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;

/** Formats a user as name and number, or as the number if it has no name. */
export const userText = (uid: number): string => {
  const name = userName(uid);
  return `user ${uid}${name === undefined ? '' : ` (${name})`}`;
};

/** Quotes a path as one word of a shell command. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

const fault = (at: string, stats: Stats, { uid: own, gid }: Owner): Distrusted | undefined => {
  const { uid, mode } = stats;
  if (uid !== 0 && uid !== own) {
    const mend = `chown -h ${own}:${gid} ${shellWord(at)}`;
    return { at, reason: `${at} belongs to ${userText(uid)}. Run as root: ${mend}` };
  }
  if (stats.isSymbolicLink() || (mode & OTHERS_WRITE) === 0 || (mode & STICKY) !== 0) return undefined;
  return { at, reason: `${at} may be written to by others than its owner. Run as root: chmod go-w ${shellWord(at)}` };
};

// Checks every folder and link on the way, resolving one link at a time.
const walked = (folder: string, owner: Owner): Distrusted | 'missing' | 'trusted' => {
  let at = '/';
  let links = 0;
  let rest = ['', ...path.resolve(folder).split('/')];
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '.') continue;
    const from = at;
    // `from` has no links left, so `..` is its parent.
    at = path.join(from, name);
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats === undefined) return 'missing';
    const wrong = fault(at, stats, owner);
    if (wrong !== undefined) return wrong;
    if (stats.isDirectory()) continue;
    // A file has no children.
    if (!stats.isSymbolicLink()) return 'missing';
    links += 1;
    if (links > LINKS) return { at, reason: `${at} is a link that leads to itself` };
    const to = readlinkSync(at);
    rest = [...to.split('/'), ...rest];
    at = to.startsWith('/') ? '/' : from;
  }
  return 'trusted';
};

/**
 * Returns undefined if only root and `owner` can change where a folder's name leads and what the folder contains.
 * Checks every folder and link on the way, because another user could change a link after a check of its target. A
 * sticky folder such as /dev/shm is fine: others can add names there but not replace any. So is a missing folder.
 */
export const distrusted = (folder: string, owner: Owner = ownUser()): Distrusted | undefined => {
  const found = walked(folder, owner);
  return typeof found === 'string' ? undefined : found;
};

/** Like `distrusted`, but a missing folder is a fault. For root before it makes or removes a name in the folder. */
export const missingOrDistrusted = (folder: string, owner: Owner = ownUser()): Distrusted | undefined => {
  const found = walked(folder, owner);
  if (found === 'trusted') return undefined;
  if (found !== 'missing') return found;
  return { at: folder, reason: `ENOENT: no such file or directory. Run as root: mkdir -p ${shellWord(folder)}` };
};

/** True if a folder exists and is trusted, which lasts. A missing one could become another user's link. */
export const isTrustedFolder = (folder: string, owner: Owner = ownUser()): boolean =>
  walked(folder, owner) === 'trusted';

/** True if a folder exists and only root can change where its name leads. */
export const isRootsOwn = (folder: string): boolean => isTrustedFolder(folder, { uid: 0, gid: 0 });
