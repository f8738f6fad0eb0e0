import { closeSync, constants, lstatSync, openSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';

import { asOwner, isRoot } from '../../system/process/privileges.ts';
import type { Owner } from '../../system/process/privileges.ts';
import { isRootsOwn, userText } from '../../system/path-trust.ts';
import { reasonOf } from '../../model/reason.ts';
import { DiskInUse, O_PATH, openFile } from './disk-file.ts';
import type { DiskFile } from './disk-file.ts';
import { makeFolder } from './folder.ts';
import { openDisk } from './open-disk.ts';
import { privatePaths } from './private-paths.ts';
import { uniqueSums } from './checksum-padding.ts';
import { systemPwrite } from './disk-writer.ts';

/** A disk of the configuration. */
export interface DiskPlace {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** Changes and failures, as messages for the administrator. */
export interface Prepared {
  readonly notes: readonly string[];
  readonly problems: readonly string[];
}

const NOTHING: Prepared = { notes: [], problems: [] };

/** Runs one step. A disk that a running daemon has open needs nothing. */
const step = (work: () => readonly (string | undefined)[]): Prepared => {
  try {
    return { notes: work().filter((note) => note !== undefined), problems: [] };
  } catch (error) {
    return error instanceof DiskInUse ? NOTHING : { notes: [], problems: [reasonOf(error)] };
  }
};

const all = (steps: readonly Prepared[]): Prepared => ({
  notes: steps.flatMap(({ notes }) => notes),
  problems: steps.flatMap(({ problems }) => problems),
});

/** Opens a disk for `owner`. Publishes the empty document if there is no valid one. */
const settle = ({ path, size }: DiskPlace, owner: Owner): readonly (string | undefined)[] => {
  const disk = openDisk({ path, size, owner }, uniqueSums());
  disk.close();
  return [disk.found === 'nothing' ? `${path} was made for ${userText(owner.uid)}` : undefined, disk.taken];
};

/** Makes or takes over the shared disk, and closes it. */
export const prepareShared = (place: DiskPlace, owner: Owner): Prepared => step(() => settle(place, owner));

/**
 * Opens the shared disk for a daemon that is about to become another user.
 *
 * @throws Error with a message for the log.
 */
export const openEarly = ({ path, size }: DiskPlace, owner: Owner): DiskFile =>
  openFile(path, size, owner, systemPwrite);

const FOLDER = O_PATH | constants.O_DIRECTORY;

/**
 * Takes over a private disk of another user (QEMU's, root) as root. The folder belongs to `owner`, who can change it at
 * any time, so every step uses descriptors and follows no link.
 */
const takeBack = (path: string, folder: string, size: number, owner: Owner): string | undefined => {
  const open = [openSync(folder, FOLDER)];
  const here = (name: string): string => `/proc/self/fd/${open.at(-1)}/${name}`;
  try {
    for (const name of relative(folder, dirname(path)).split(sep)) {
      if (lstatSync(here(name), { throwIfNoEntry: false }) === undefined) return undefined;
      open.push(openSync(here(name), FOLDER | constants.O_NOFOLLOW));
    }
    const at = here(basename(path));
    const stats = lstatSync(at, { throwIfNoEntry: false });
    // The owner itself opens or refuses its own files, and anything that is not a file.
    if (stats?.isFile() !== true || stats.uid === owner.uid) return undefined;
    const file = openFile(path, size, owner, systemPwrite, at);
    closeSync(file.fd);
    return file.taken;
  } finally {
    open.forEach((fd) => closeSync(fd));
  }
};

/**
 * Makes the folder of the private disks and takes over the disks in it, as root for `owner`; then makes those of the
 * domains with these UUIDs, with the rights of `owner`.
 */
export const preparePrivate = ({ path, size }: DiskPlace, owner: Owner, uuids: readonly string[]): Prepared => {
  const paths = privatePaths(path, owner);
  const folder = step(() => {
    makeFolder(join(paths.folder, 'any'), owner);
    paths.makeFolder();
    const above = dirname(paths.folder);
    if (isRoot() && !isRootsOwn(above))
      throw new Error(`${above} can be changed by others than root, so root touches no private disk below it`);
    return [];
  });
  if (folder.problems.length > 0) return folder;
  const make = (uuid: string): readonly (string | undefined)[] =>
    asOwner(owner, () => {
      paths.makeOwnFolder(uuid);
      return settle({ path: paths.pathOf(uuid), size }, owner);
    });
  const known = new Set(uuids);
  const steps = [...new Set([...paths.found(), ...uuids])].map((uuid) =>
    step(() => {
      const taken = isRoot() ? takeBack(paths.pathOf(uuid), paths.folder, size, owner) : undefined;
      return [taken, ...(known.has(uuid) ? make(uuid) : [])];
    }),
  );
  return all(steps);
};
