import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import path from 'node:path';

import { type Owner, ownUser, userName } from './process/privileges.ts';

/** A folder, or a link on the way to it, by which others can lead astray whoever goes by the name. */
export interface Distrusted {
  readonly at: string;
  /** What is wrong, where, and the command that mends it. */
  readonly reason: string;
}

// As many links as the kernel follows (path_resolution(7)).
const LINKS = 40;
const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;

/** A user by number, and by name if it has one. */
export const userText = (uid: number): string => {
  const name = userName(uid);
  return `user ${uid}${name === undefined ? '' : ` (${name})`}`;
};

/** A path as one word of a shell command. */
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

// Looks at every folder and link on the way, link by link.
const walked = (folder: string, owner: Owner): Distrusted | 'missing' | 'trusted' => {
  let at = '/';
  let links = 0;
  let rest = ['', ...path.resolve(folder).split('/')];
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '.') continue;
    const from = at;
    // `from` holds no link any more, so `..` is what stands before it.
    at = path.join(from, name);
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats === undefined) return 'missing';
    const wrong = fault(at, stats, owner);
    if (wrong !== undefined) return wrong;
    if (stats.isDirectory()) continue;
    // Nothing lies below a file.
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
 * Whether nobody but root and this user decides what a folder's name leads to and what lies in it: undefined if so. Every
 * folder and link on the way is looked at: a link of another user's may change after any look at what it leads to. In a
 * sticky folder, such as /dev/shm, others can add names but replace none. What is missing is no fault.
 */
export const distrusted = (folder: string, owner: Owner = ownUser()): Distrusted | undefined => {
  const found = walked(folder, owner);
  return typeof found === 'string' ? undefined : found;
};

/** As `distrusted`, and what is missing is a fault, too: for root, that is to make or remove a name in the folder. */
export const missingOrDistrusted = (folder: string, owner: Owner = ownUser()): Distrusted | undefined => {
  const found = walked(folder, owner);
  if (found === 'trusted') return undefined;
  return found === 'missing' ? { at: folder, reason: `ENOENT: ${folder} does not exist` } : found;
};

/** Whether a folder is there and trusted: it stays so, while what is missing may come to be a link of another user's. */
export const isTrustedFolder = (folder: string, owner: Owner = ownUser()): boolean =>
  walked(folder, owner) === 'trusted';

/** Whether a folder is there, and root alone decides what its name leads to. */
export const isRootsOwn = (folder: string): boolean => isTrustedFolder(folder, { uid: 0, gid: 0 });
