import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { PrivateLibvirtd } from '../../test/support/libvirtd.ts';
import { end, repositoryFile } from '../daemon.ts';

/** A running program that collects figures of the domains; it is between two collections when `start` returns it. */
export interface Peer {
  readonly pid: number;
  /** Waits for so many collections; returns their wall times in ms, where they are visible. */
  readonly collect: (times: number) => Promise<readonly number[]>;
  readonly stop: () => Promise<void>;
}

export interface Surroundings {
  readonly libvirtd: PrivateLibvirtd;
  /** Names of the domains. */
  readonly domains: readonly string[];
  readonly directory: string;
  /** Milliseconds from one collection to the next. */
  readonly period: number;
}

/** A kind of peer, which can be started several times. */
export interface PeerKind {
  readonly name: string;
  /** Collections in one measurement. */
  readonly times: number;
  /** True if the measured process does all the work itself, so that its memory is comparable. */
  readonly alone: boolean;
  /** Rejects with the reason if it cannot run here. */
  readonly start: (surroundings: Surroundings) => Promise<Peer>;
}

/** Returns the path of a file of a package that scripts/common.sh has unpacked; throws if the package is missing. */
export const unpacked = (packageName: string, file: string): string => {
  const place = repositoryFile(path.join('.cache/peers', packageName, file));
  if (!existsSync(place)) throw new Error(`Debian's package ${packageName} could not be fetched`);
  return place;
};

/** Returns a child process as a peer. */
export const peerOf = (child: ChildProcess, collect: Peer['collect']): Peer => ({
  pid: child.pid ?? 0,
  collect,
  stop: () => end(child),
});

/** Waits for a program that collects once per period without being asked. */
export const byItself =
  (period: number): Peer['collect'] =>
  async (times) => {
    await sleep(times * period);
    return [];
  };

/** Returns the next output of a program; rejects if it ends. */
export const printed = async (child: ChildProcess): Promise<string> => {
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${path.basename(child.spawnfile)} has ended`);
  });
  const [data]: readonly unknown[] = await Promise.race([once(child.stdout ?? child, 'data'), ended]);
  return String(data).trim();
};

/** Throws unless a program reports every domain. */
export const needAll = (found: number, { domains }: Surroundings): void => {
  if (found !== domains.length) throw new Error(`it reports ${found} of ${domains.length} domains`);
};

/** Runs the rest of a start; ends the program if that fails. */
export const orEnd = async <Value>(child: ChildProcess, start: () => Promise<Value>): Promise<Value> => {
  try {
    return await start();
  } catch (error) {
    await end(child);
    throw error;
  }
};
