import { closeSync, constants, fchmodSync, fchownSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { asOwner, isRoot, userName } from '../../system/process/privileges.ts';
import type { Owner } from '../../system/process/privileges.ts';
import { isRootsOwn, shellWord, userText } from '../../system/path-trust.ts';
import { codeOf, isDenied, reasonOf } from '../../model/reason.ts';

const MODE = 0o755;
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

const denied = (path: string, owner: Owner): Error => {
  const folder = dirname(path);
  const user = userName(owner.uid) ?? owner.uid;
  const whose = statSync(folder, { throwIfNoEntry: false });
  return new Error(
    `${path} cannot be made, because ${userText(owner.uid)} may not write to ${folder}` +
      (whose === undefined ? '' : `, which belongs to ${userText(whose.uid)}`) +
      `. Run as root: install -o ${user} -g ${owner.gid} -m 644 /dev/null ${shellWord(path)}`,
  );
};

/**
 * Makes something at a path as `owner`. If `owner` lacks the rights, root does it, but only if nobody else can change
 * where the path leads.
 *
 * @throws Error with a message for the log.
 */
export const byOwnerOrRoot = <T>(path: string, owner: Owner, make: () => T): T => {
  try {
    return asOwner(owner, make);
  } catch (error) {
    if (!isDenied(error)) throw error;
    if (isRoot() && isRootsOwn(dirname(path))) return make();
    throw denied(path, owner);
  }
};

/** Makes the folder of a path for `owner` if only that one is missing, with a mode that lets QEMU's user pass. */
export const makeFolder = (path: string, owner: Owner): void => {
  const folder = dirname(path);
  if (statSync(folder, { throwIfNoEntry: false }) !== undefined) return;
  const make = (): number => {
    mkdirSync(folder, MODE);
    const fd = openSync(folder, FOLDER);
    if (isRoot()) fchownSync(fd, owner.uid, owner.gid);
    return fd;
  };
  try {
    const fd = byOwnerOrRoot(folder, owner, make);
    try {
      fchmodSync(fd, MODE);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return;
    const missing = codeOf(cause) === 'ENOENT' ? `${dirname(folder)} does not exist` : reasonOf(cause);
    throw new Error(
      `${path} cannot be made, because its folder ${folder} cannot: ${missing}. Run as root: mkdir -p ${shellWord(folder)}`,
      { cause },
    );
  }
};
