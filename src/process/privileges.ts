import { execFileSync } from 'node:child_process';

const id = (flag: string, user: string): readonly number[] => {
  try {
    const printed = execFileSync('id', [flag, '--', user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return printed.trim().split(' ').map(Number);
  } catch (error) {
    throw new Error(`There is no user "${user}" (--user)`, { cause: error });
  }
};

/** A user with its group, by number. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The numbers of a user (a name or a number); fails if there is none. */
export const ownerOf = (user: string): Owner => {
  const [uid = 0] = id('-u', user);
  const [gid = 0] = id('-g', user);
  return { uid, gid };
};

/** Becomes another user for good, with that user's own groups only. Refuses root, and needs to be root. */
export const dropPrivileges = (user: string): void => {
  const { uid, gid } = ownerOf(user);
  if (uid === 0) throw new Error('--user root is refused: leave the option out to run as root');
  if (process.getuid?.() === uid) return;
  if (process.getuid?.() !== 0) throw new Error(`Only root can become user "${user}" (--user)`);
  process.setgroups?.([...id('-G', user)]);
  process.setgid?.(gid);
  process.setuid?.(uid);
};
