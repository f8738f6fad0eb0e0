import { statSync } from 'node:fs';

import { readConfig } from '../../config/parse.ts';
import { mayBecome, type Owner, ownerOf, ownUser } from '../../system/process/privileges.ts';
import { reasonOf } from '../../model/reason.ts';
import { preparePrivate, prepareShared, type Prepared } from '../../sinks/metrics-disk/prepare-disks.ts';
import { definedUuids } from '../../sources/libvirt/defined-files.ts';

export interface PrepareOptions {
  readonly config: string;
  /** Whom the disks are for; by default the user of the unit that this runs in, else the own one. */
  readonly user: string | undefined;
}

/** systemd makes the runtime directory of a unit for the user of the unit, whatever a step of it runs as. */
const unitUser = (folder = process.env['RUNTIME_DIRECTORY']?.split(':')[0]): Owner | undefined => {
  if (folder === undefined || folder === '') return undefined;
  const { uid, gid } = statSync(folder);
  return { uid, gid };
};

/**
 * `vhostmd prepare`: makes the disks that VMs need at their start, or takes them over, for the user that the daemon will
 * run as. It loads no module and runs no action. Exit status 1 if a disk cannot be had, 2 if the configuration is wrong.
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
