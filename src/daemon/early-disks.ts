import type { Config } from '../config/config.ts';
import type { Log } from '../system/log.ts';
import type { Owner } from '../system/process/privileges.ts';
import type { DiskFile } from '../sinks/metrics-disk/disk-file.ts';
import { hangsNotice } from '../sinks/metrics-disk/file-system.ts';

/** Work on disks at the start of the daemon, before its sinks run. */
export interface RunDisks {
  /** Returns the shared disk that `openEarly` opened; only on the first call. */
  readonly opened: (path: string) => DiskFile | undefined;
  /** Opens the shared disk and takes over private ones as root, for `owner`. Rejects with a message for the log. */
  readonly openEarly: (config: Config, owner: Owner) => Promise<void>;
  /** Warns, once per path, about a disk on a file system that may hang. */
  readonly sayHangs: (config: Config) => void;
}

const sharedOf = ({ disk, transports }: Config): Config['disk'] =>
  transports.some(({ name }) => name === 'vbd') ? disk : undefined;

export const runDisks = (log: Log): RunDisks => {
  const early = new Map<string, DiskFile>();
  const said = new Set<string>();
  return {
    opened: (path) => {
      const file = early.get(path);
      early.delete(path);
      return file;
    },
    openEarly: async (config, owner) => {
      // Loaded while still root: the other user may be unable to read our files.
      const { openEarly, preparePrivate } = await import('../sinks/metrics-disk/prepare-disks.ts');
      const shared = sharedOf(config);
      if (shared !== undefined) early.set(shared.path, openEarly(shared, owner));
      if (config.vmDisk === undefined) return;
      const { notes, problems } = preparePrivate(config.vmDisk, owner, []);
      for (const note of notes) log('notice', 'private disks', note);
      for (const problem of problems) log('warning', 'private disks', problem);
    },
    sayHangs: (config) => {
      for (const disk of [sharedOf(config), config.vmDisk]) {
        const notice = disk === undefined || said.has(disk.path) ? undefined : hangsNotice(disk.path);
        if (disk !== undefined) said.add(disk.path);
        if (notice !== undefined) log('notice', 'disks', notice);
      }
    },
  };
};
