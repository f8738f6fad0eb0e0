import { realpathSync, statSync } from 'node:fs';

import type { SchedulerLike } from 'rxjs';

import type { Domain } from '../../model/metric.ts';
import type { DomainAccess, DomainConfigScope } from '../../sources/libvirt/domain-devices.ts';
import { escapeForLog } from '../../model/value.ts';
import { type Device, titleOf } from './devices.ts';
import type { Definition, Step } from './device-plan.ts';

/** One run of the command on one domain. */
export interface Session {
  readonly access: DomainAccess;
  readonly domain: Domain;
  /** Both descriptions of the domain, as far as it has them. */
  readonly definitions: readonly Definition[];
  readonly steps: readonly Step[];
  /** What is to be changed; nothing: the XML is printed only. */
  readonly places: readonly DomainConfigScope[];
  readonly scheduler: SchedulerLike;
  /** A line on stdout: what was done. */
  readonly tell: (line: string) => void;
  /** A line on stderr: what is to be known, and what went wrong. */
  readonly note: (line: string) => void;
  /** `: REASON`, or that it is the same as before. */
  readonly reason: (reason: string) => string;
}

/** What became of one device in one place. */
export type Done = 'done' | 'nothing' | 'failed';

const PLACES: Readonly<Record<DomainConfigScope, string>> = {
  live: 'the running domain',
  persistent: 'its persistent definition',
};

/** Says each line once: several devices may fail alike. */
export const once = (note: (line: string) => void): Pick<Session, 'note' | 'reason'> => {
  const lines = new Set<string>();
  let before: string | undefined;
  return {
    note: (line) => {
      if (!lines.has(line)) note(line);
      lines.add(line);
    },
    reason: (reason) => {
      const same = reason === before;
      before = reason;
      return same ? ', for the same reason' : `: ${reason}`;
    },
  };
};

export const placeOf = (where: DomainConfigScope): string => PLACES[where];

/** A device as messages call it, with the path of a disk. */
export const nameOf = (device: Device): string =>
  device.kind === 'channel' ? 'the channel' : `the ${titleOf(device)} ${escapeForLog(device.path)}`;

export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Why QEMU could not open a disk's file; `undefined` also where this user may not look. */
export const fileProblem = (device: Device): string | undefined => {
  if (device.kind === 'channel') return undefined;
  try {
    return statSync(device.path).isFile() ? undefined : 'is no regular file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : undefined;
  }
};

/** A path without symbolic links; the same one if that cannot be found out. */
export const realPath = (path: string): string => {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
};
