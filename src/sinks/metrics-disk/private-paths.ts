import { chmodSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import type { Owner } from '../../system/process/privileges.ts';
import { distrusted, isTrustedFolder } from '../../system/path-trust.ts';
import { causeOf } from '../../model/reason.ts';

/** Token in the pattern for the UUID of a domain. */
const TOKEN = 'UUID';
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const WHOLE = new RegExp(`^${UUID}$`);
const MODE = 0o755;

/** True for a UUID in libvirt's notation. Nothing else may become part of a path. */
export const isUuid = (text: string): boolean => WHOLE.test(text);

/** Paths of private disks. */
export interface PrivatePaths {
  /** Folder of all disks: the last one before the token. */
  readonly folder: string;
  readonly pathOf: (uuid: string) => string;
  /** Returns the UUIDs for which anything exists, disk or not. Throws if the folder cannot be read. */
  readonly found: () => readonly string[];
  /** Makes a missing folder. Throws a message for the log, also if others than `owner` and root can change it. */
  readonly makeFolder: () => void;
  /** True if the folder of the disk exists, and nobody else can put a link on the way to it (as in /dev/shm). */
  readonly isTrusted: (uuid: string) => boolean;
  /** Makes the folders that only this disk needs. */
  readonly makeOwnFolder: (uuid: string) => void;
  readonly removeOwnFolder: (uuid: string) => void;
}

/** Throws unless only root and `owner` can change the folder: anyone else could decide what VMs read. */
const trust = (folder: string, owner?: Owner): void => {
  const wrong = distrusted(folder, owner);
  if (wrong !== undefined) throw new Error(`Private disks cannot be kept in ${folder}: ${wrong.reason}`);
};

/** Makes folders one by one, each in an existing trusted folder, so that links of others are not followed. */
const makeFolders = (folder: string, owner?: Owner): void => {
  if (isTrustedFolder(folder, owner)) return;
  trust(folder, owner);
  makeFolders(dirname(folder), owner);
  mkdirSync(folder, MODE);
  // Independent of the umask, because QEMU must pass as another user.
  chmodSync(folder, MODE);
};

/** Returns the topmost part of a pattern that contains the token. */
const topOf = (pattern: string): string => (dirname(pattern).includes(TOKEN) ? topOf(dirname(pattern)) : pattern);

/** Removes a folder and its parents, up to the folder of all private disks. */
const removeFolders = (own: string, folder: string): void => {
  if (own === folder) return;
  rmdirSync(own);
  removeFolders(dirname(own), folder);
};

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Parses the pattern of a `<vm_disk>`. The token may occur in the name of the file, of folders, or in several. */
export const privatePaths = (pattern: string, owner?: Owner): PrivatePaths => {
  const top = topOf(pattern);
  const folder = dirname(top);
  const name = new RegExp(`^${escaped(basename(top)).replace(TOKEN, `(${UUID})`).replaceAll(TOKEN, '\\1')}$`);
  const pathOf = (uuid: string): string => pattern.replaceAll(TOKEN, uuid);
  return {
    folder,
    pathOf,
    found: () => readdirSync(folder).flatMap((entry) => name.exec(entry)?.[1] ?? []),
    isTrusted: (uuid) => isTrustedFolder(dirname(pathOf(uuid)), owner),
    makeFolder: () => {
      if (isTrustedFolder(folder, owner)) return;
      trust(folder, owner);
      try {
        makeFolders(folder, owner);
      } catch (cause) {
        throw new Error(
          `The folder of the private disks, ${folder}, cannot be made: ${causeOf(cause)}. ` +
            'Make it for the user that vhostmd runs as, or name another <path> in <vm_disk>',
          { cause },
        );
      }
    },
    makeOwnFolder: (uuid) => makeFolders(dirname(pathOf(uuid)), owner),
    removeOwnFolder: (uuid) => {
      try {
        removeFolders(dirname(pathOf(uuid)), folder);
      } catch {
        // The folder is not empty, or gone.
      }
    },
  };
};
