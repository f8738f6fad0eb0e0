import { readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { parseMetrics } from '../../src/client/read-metrics.ts';
import { lookAtDisk } from '../../src/client/read-disk.ts';
import { reasonOf } from '../../src/model/reason.ts';

/** Reads all disks of a folder repeatedly, as guests do at any time. */
export interface Checker {
  readonly reads: () => number;
  /** Returns the faults, which no reader should find. */
  readonly faults: () => readonly string[];
  readonly stop: () => void;
}

const EVERY = 100;
// Number of private disks that a round reads.
const PRIVATE = 3;
const LOOK_AGAIN = 5;
const LOOKS = 400;

const documentFault = (file: string, xml: string): string | undefined => {
  const own = /([-\da-f]{36})\.private$/.exec(file)?.[1];
  try {
    const other = parseMetrics(xml).find(({ uuid }) => uuid !== undefined && own !== undefined && uuid !== own);
    return other === undefined ? undefined : `${file} shows ${other.uuid}`;
  } catch (error) {
    return `${file}: ${reasonOf(error)}`;
  }
};

// Reads a disk again while it is being written or created, as its readers do. A removed disk has no fault.
const faultOf = async (file: string): Promise<string | undefined> => {
  for (let time = 1; ; time += 1) {
    const look = lookAtDisk(file);
    if (look.kind === 'content') return documentFault(file, look.content.toString('latin1'));
    if (look.message.includes('ENOENT')) return undefined;
    if (time === LOOKS) return look.message;
    await sleep(LOOK_AGAIN);
  }
};

export const checkDisks = (folder: string): Checker => {
  const faults: string[] = [];
  let reads = 0;
  const stopped = new AbortController();
  const read = async (file: string): Promise<void> => {
    const fault = await faultOf(path.join(folder, file));
    reads += 1;
    if (fault !== undefined) faults.push(fault);
  };
  const run = async (): Promise<void> => {
    for (let round = 0; !stopped.signal.aborted; round += 1) {
      const files = readdirSync(folder).sort();
      const own = files.filter((file) => file.endsWith('.private'));
      const rounds = Math.ceil(own.length / PRIVATE);
      for (const file of files.filter((name) => name.endsWith('.disk'))) await read(file);
      for (const file of own.filter((_, index) => Math.floor(index / PRIVATE) === round % rounds)) await read(file);
      await sleep(EVERY);
    }
  };
  void run().catch((error: unknown) => faults.push(reasonOf(error)));
  return { reads: () => reads, faults: () => faults, stop: () => stopped.abort() };
};
