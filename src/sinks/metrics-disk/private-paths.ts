import { chmodSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import type { Owner } from '../../system/process/privileges.ts';
import { distrusted, isTrustedFolder } from '../../system/path-trust.ts';
import { causeOf } from '../../model/reason.ts';

/** Stands in the pattern for the UUID of a domain. */
const TOKEN = 'UUID';
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const WHOLE = new RegExp(`^${UUID}$`);
const MODE = 0o755;

/** Whether a text is a UUID as libvirt prints it: nothing else may get into a path. */
export const isUuid = (text: string): boolean => WHOLE.test(text);

/** Where private disks lie. */
export interface PrivatePaths {
  /** The folder of all of them: the last one before the token. */
  readonly folder: string;
  readonly pathOf: (uuid: string) => string;
  /** UUIDs for which there is something, be it a disk or not. Throws if the folder cannot be read. */
  readonly found: () => readonly string[];
  /** Makes the folder, if there is none. Throws a clear message, also if others than the owner and root may change it. */
  readonly makeFolder: () => void;
  /** Whether the folder of the disk is there, and nobody else can put a link on the way to it, in a sticky folder such as /dev/shm. */
  readonly isTrusted: (uuid: string) => boolean;
  /** Makes what folders of its own a disk needs, and removes them when it has gone. */
  readonly makeOwnFolder: (uuid: string) => void;
  readonly removeOwnFolder: (uuid: string) => void;
}

/** Throws unless nobody but root and the owner can change what lies there: whoever can, decides what VMs read. */
const trust = (folder: string, owner?: Owner): void => {
  const wrong = distrusted(folder, owner);
  if (wrong !== undefined) throw new Error(`Private disks cannot be kept in ${folder}: ${wrong.reason}`);
};

/** Step by step, each in a folder that is there and trusted: what others put in the way is not gone through. */
const makeFolders = (folder: string, owner?: Owner): void => {
  if (isTrustedFolder(folder, owner)) return;
  trust(folder, owner);
  makeFolders(dirname(folder), owner);
  mkdirSync(folder, MODE);
  // Whatever the umask: QEMU of another user must get through.
  chmodSync(folder, MODE);
};

/** The last part of a pattern behind which no folder has the token. */
const topOf = (pattern: string): string => (dirname(pattern).includes(TOKEN) ? topOf(dirname(pattern)) : pattern);

/** Removes a folder and those above it, up to that of all private disks. */
const removeFolders = (own: string, folder: string): void => {
  if (own === folder) return;
  rmdirSync(own);
  removeFolders(dirname(own), folder);
};

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Takes the pattern of a `<vm_disk>` apart: the token stands in the name of the file or of a folder, or in several. */
export const privatePaths = (pattern: string, owner?: Owner): PrivatePaths => {
  const top = topOf(pattern);
  const folder = dirname(top);
  const [before = '', ...others] = basename(top).split(TOKEN).map(escaped);
  const name = new RegExp(`^${before}(${UUID})${others.join('\\1')}$`);
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
    makeOwnFolder: (uuid) => {
      const own = dirname(pathOf(uuid));
      if (own !== folder) makeFolders(own, owner);
    },
    removeOwnFolder: (uuid) => {
      try {
        removeFolders(dirname(pathOf(uuid)), folder);
      } catch {
        // Something else is in it, or it has gone.
      }
    },
  };
};
