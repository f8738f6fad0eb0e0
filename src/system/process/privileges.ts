import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

import { setGid, setGroups, setUid } from '../libc.ts';

const ask = (args: readonly string[]): string =>
  execFileSync('id', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

const id = (flag: string, user: string): readonly number[] => {
  try {
    return ask([flag, '--', user]).split(' ').map(Number);
  } catch (error) {
    throw new Error(`There is no user "${user}" (--user)`, { cause: error });
  }
};

/** A user with its group, by number. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** All groups of the user; default: only `gid`. */
  readonly groups?: readonly number[];
}

/** The user that this process runs as. */
export const ownUser = (): Owner => ({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 });

export const isRoot = (): boolean => process.geteuid?.() === 0;

const names = new Map<number, string | undefined>();

/** Returns the name of a user, or undefined without one. Cached. */
export const userName = (uid: number): string | undefined => {
  if (!names.has(uid)) {
    let name: string | undefined;
    try {
      name = ask(['-nu', '--', String(uid)]);
    } catch {
      // A number without an account, as in a container.
    }
    names.set(uid, name);
  }
  return names.get(uid);
};

/**
 * Looks up a user by name or number.
 *
 * @throws Error if it does not exist, is root, or belongs to the group of root.
 */
export const ownerOf = (user: string): Owner => {
  const [uid = 0] = id('-u', user);
  const [gid = 0] = id('-g', user);
  if (uid === 0) {
    const shown = /^\+?0+$/.test(user) || user === 'root' ? 'root' : `"${user}", which is root by another name,`;
    throw new Error(`--user ${shown} is refused: leave the option out to run as root`);
  }
  if (gid === 0)
    throw new Error(
      `--user "${user}" is refused, because its primary group is root's (gid 0). ` +
        `Give it a group of its own, as root: groupadd --force ${user} && usermod --gid ${user} ${user}`,
    );
  return { uid, gid, groups: id('-G', user).filter((group) => group !== 0) };
};

/**
 * Checks that this process is that user or can become it.
 *
 * @throws Error if it cannot.
 */
export const mayBecome = ({ uid }: Owner): void => {
  const name = userName(uid) ?? uid;
  if (process.getuid?.() !== uid && process.getuid?.() !== 0)
    throw new Error(`Only root can become user "${name}" (--user)`);
};

// The kernel thread of an io_uring keeps the rights of the user who made it (CVE-2024-22017). libuv starts one only
// with UV_USE_IO_URING=1; rings without a thread use the rights of the caller.
const refuseRing = (): void => {
  const isRing = (fd: string): boolean => {
    try {
      return /^SqThread:\s*\d/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
    } catch {
      return false;
    }
  };
  if (readdirSync('/proc/self/fdinfo').some(isRing))
    throw new Error(
      'Node uses a thread of io_uring, which keeps the rights of root: run vhostmd with UV_USE_IO_URING=0',
    );
};

/** Becomes another user for good, with only that user's groups. */
export const dropPrivileges = (owner: Owner): void => {
  mayBecome(owner);
  const { uid, gid, groups = [gid] } = owner;
  if (process.getuid?.() === uid) return;
  refuseRing();
  setGroups(groups);
  setGid(gid, true);
  setUid(uid, true);
};

/** Runs synchronous work with only the rights of `owner` if this process is root, else unchanged. */
export const asOwner = <T>({ uid, gid, groups = [gid] }: Owner, work: () => T): T => {
  if (!isRoot() || uid === 0) return work();
  const before = { gid: process.getegid?.() ?? 0, groups: process.getgroups?.() ?? [] };
  refuseRing();
  try {
    setGroups(groups);
    setGid(gid, false);
    setUid(uid, false);
    return work();
  } finally {
    setUid(0, false);
    setGid(before.gid, false);
    setGroups(before.groups);
  }
};
