import { realpathSync, statSync } from 'node:fs';

import type { SchedulerLike } from 'rxjs';

import type { Domain } from '../../model/metric.ts';
import type { DomainAccess, DomainConfigScope } from '../../sources/libvirt/domain-devices.ts';
import { escapeForLog } from '../../model/value.ts';
import { type Device, titleOf } from './devices.ts';
import type { Definition, Step } from './device-plan.ts';

/** One invocation of the command for one domain. */
export interface Session {
  readonly access: DomainAccess;
  readonly domain: Domain;
  /** Running and persistent definition of the domain, as far as they exist. */
  readonly definitions: readonly Definition[];
  readonly steps: readonly Step[];
  /** Definitions to change; empty: only print the XML. */
  readonly places: readonly DomainConfigScope[];
  readonly scheduler: SchedulerLike;
  /** Prints a line on stdout: a change that was made. */
  readonly tell: (line: string) => void;
  /** Prints a line on stderr: a remark or a failure. */
  readonly note: (line: string) => void;
  /** Returns `: REASON`, or `, for the same reason` if it is that of the last call. */
  readonly reason: (reason: string) => string;
}

/** Result for one device in one definition. */
export type Done = 'done' | 'nothing' | 'failed';

const PLACES: Readonly<Record<DomainConfigScope, string>> = {
  live: 'the running domain',
  persistent: 'its persistent definition',
};

/** Drops repeated lines and reasons, because several devices may fail for the same reason. */
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

/** Name of a device for messages, with the path of a disk. */
export const nameOf = (device: Device): string =>
  device.kind === 'channel' ? 'the channel' : `the ${titleOf(device)} ${escapeForLog(device.path)}`;

export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Returns why QEMU could not open a disk's file, or undefined; also undefined if this user has no access to check. */
export const fileProblem = (device: Device): string | undefined => {
  if (device.kind === 'channel') return undefined;
  try {
    return statSync(device.path).isFile() ? undefined : 'is no regular file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : undefined;
  }
};

/** Resolves symbolic links; returns the same path if that fails. */
export const realPath = (path: string): string => {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
};
