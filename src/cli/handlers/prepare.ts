import { statSync } from 'node:fs';

import { readConfig } from '../../config/parse.ts';
import { mayBecome, type Owner, ownerOf, ownUser } from '../../system/process/privileges.ts';
import { reasonOf } from '../../model/reason.ts';
import { preparePrivate, prepareShared, type Prepared } from '../../sinks/metrics-disk/prepare-disks.ts';
import { definedUuids } from '../../sources/libvirt/defined-files.ts';

export interface PrepareOptions {
  readonly config: string;
  /** Owner of the disks; default: the user of the systemd unit that runs this, else this user. */
  readonly user: string | undefined;
}

/** User of the systemd unit: the owner of its runtime directory, even in a step that runs as root. */
const unitUser = (folder = process.env['RUNTIME_DIRECTORY']?.split(':')[0]): Owner | undefined => {
  if (folder === undefined || folder === '') return undefined;
  const { uid, gid } = statSync(folder);
  return { uid, gid };
};

/**
 * `vhostmd prepare`: makes or takes over the disks that VMs need at their start, for the user of the daemon. Loads no
 * module and runs no action. Exit status 1 if a disk cannot be prepared, 2 for an invalid configuration.
 */
export const prepare = (options: PrepareOptions): number => {
  process.umask(0o022);
  let owner: Owner;
  try {
    owner = options.user === undefined ? (unitUser() ?? ownUser()) : ownerOf(options.user);
    mayBecome(owner);
  } catch (error) {
    console.error(`vhostmd: ${reasonOf(error)}`);
    return 1;
  }
  const read = readConfig(options.config);
  if (!read.ok) {
    console.error(`vhostmd: ${options.config} has mistakes, so no disk is made. Run: vhostmd check ${options.config}`);
    return 2;
  }
  const { disk, vmDisk, transports } = read.value;
  const shared = transports.some(({ name }) => name === 'vbd') ? disk : undefined;
  const done: readonly Prepared[] = [
    ...(shared === undefined ? [] : [prepareShared(shared, owner)]),
    ...(vmDisk === undefined ? [] : [preparePrivate(vmDisk, owner, definedUuids())]),
  ];
  for (const note of done.flatMap(({ notes }) => notes)) console.log(note);
  const problems = done.flatMap((one) => one.problems);
  for (const problem of problems) console.error(`vhostmd: ${problem}`);
  return problems.length === 0 ? 0 : 1;
};
