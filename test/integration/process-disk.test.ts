import { rmSync, statSync, writeFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { HOST, TEST_URI } from '../cli/commands/program.ts';
import { readMetrics, type RunningDaemon, until } from '../support/daemon.ts';
import { stage } from './process-stage.ts';

const { place, start } = stage();

let daemon: RunningDaemon;
const startOnDisk = async (): Promise<string> => {
  const { config, disk } = place(HOST);
  daemon = await start([...TEST_URI, '-f', config]);
  return disk;
};
const served = async (disk: string): Promise<boolean> =>
  await readMetrics(disk).then(
    ({ length }) => length === 1,
    () => false,
  );
const warnings = (): number => daemon.output().split(' was deleted or replaced, and has been made again').length - 1;

describe('FAULTS 43: the disk of a running daemon', () => {
  it('that is deleted is made anew, with one warning each time', async () => {
    const disk = await startOnDisk();
    for (const times of [1, 2]) {
      rmSync(disk);
      await until('the new disk', async () => await served(disk));
      await until('the warning', () => warnings() === times);
    }
    const before = statSync(disk).mtimeMs;
    await until('two further updates', () => statSync(disk).mtimeMs > before + 1500);
    expect(warnings()).toBe(2);
  });

  it('that is replaced by another file is written to that one', async () => {
    const disk = await startOnDisk();
    rmSync(disk);
    writeFileSync(disk, 'something else');
    await until('the new disk', async () => await served(disk));
    await until('the warning', () => warnings() === 1);
  });
});
