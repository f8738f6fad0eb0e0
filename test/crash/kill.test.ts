import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { faultOf, hold, isBusy, valuesOn, withFolder } from './disks.ts';
import { PATIENCE } from '../support/patience.ts';

/** Number of random kills: CRASH_KILLS of the environment, else 200, which take half a minute. */
const KILLS = Number(process.env['CRASH_KILLS'] ?? 200);
/** Number of writes of the first start on both disks and of their first updates. */
const WRITES = 40;
const UUID = '6be3fdb8-bef5-6fec-b1b7-000000000001';
const SIZE = 131_072;
const VICTIM = fileURLToPath(new URL('victim.mjs', import.meta.url));

/** A pair of disks that one process after the other updates, and the faults found. */
const disks = (folder: string) => {
  const [shared, own] = [join(folder, 'disk'), join(folder, `${UUID}.disk`)];
  const found = { faults: [] as string[], inUpdate: 0, opened: 0, killed: 0 };
  let held: readonly ReturnType<typeof hold>[] = [];

  const look = (): void => {
    found.opened += 1;
    for (const path of [shared, own]) {
      // All values of one update are equal.
      const fault = faultOf(path) ?? (valuesOn(path).size > 1 ? 'values of several updates' : undefined);
      if (fault !== undefined) found.faults.push(`${path} at start ${found.opened}: ${fault}`);
    }
    if (held.length === 0) held = [shared, own].map(hold);
    for (const { isSame } of held) if (!isSame()) found.faults.push('another file than the one that QEMU has open');
  };

  /** Runs one process from its start to its end. */
  const live = async (killAt: number, delay: number): Promise<void> => {
    const args = [VICTIM, shared, join(folder, 'UUID.disk'), UUID, String(SIZE), String(killAt)];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    // The process may be dead when the line is sent.
    child.stdin.on('error', () => undefined);
    const opened = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
    if (opened) {
      look();
      child.stdin.write('\n');
      if (killAt === 0) {
        await sleep(delay);
        child.kill('SIGKILL');
      }
    }
    const [, signal] = (await ended) as [number | null, string | null];
    if (signal === 'SIGKILL') found.killed += 1;
    if ([shared, own].some(isBusy)) found.inUpdate += 1;
  };
  return { found, live, close: () => held.forEach(({ close }) => close()) };
};

const inTwoLanes = async (lane: (number: number) => Promise<void>): Promise<void> => {
  await Promise.all([lane(0), lane(1)]);
};

it(
  'FAULTS 46: killed at any write of the start or of an update, both kinds of disk are valid right after the restart',
  async () => {
    await withFolder(async (folder) => {
      const { found, live, close } = disks(folder);
      // Each process starts on the disks of the one before, so half of the starts repair.
      for (let write = 1; write <= WRITES; write += 1) await live(write, 0);
      await live(0, 5);
      close();
      expect(found.faults).toEqual([]);
      expect(found.killed).toBe(WRITES + 1);
      expect(found.inUpdate).toBeGreaterThan(WRITES / 3);
      expect(found.opened).toBeGreaterThan(WRITES / 2);
    });
  },
  120_000 * PATIENCE,
);

it(
  `FAULTS 46: killed at ${KILLS} moments at random, both kinds of disk are valid right after each restart`,
  async () => {
    await inTwoLanes(
      async () =>
        await withFolder(async (folder) => {
          const { found, live, close } = disks(folder);
          const kills = Math.ceil(KILLS / 2);
          for (let kill = 0; kill < kills; kill += 1) await live(0, Math.random() * 15);
          close();
          process.stderr.write(`crash: ${found.killed} kills, ${found.inUpdate} in mid-update\n`);
          expect(found.faults).toEqual([]);
          expect([found.killed, found.opened]).toEqual([kills, kills]);
          expect(found.inUpdate).toBeGreaterThan(kills / 20);
        }),
    );
  },
  60_000 + KILLS * 1000,
);
