import { rmSync, statSync, writeFileSync } from 'node:fs';

import { afterEach, describe, expect, it } from 'vitest';

import { HOST, TEST_URI } from '../commands/program.ts';
import { readMetrics, type RunningDaemon, scratch, type Scratch, startDaemon, until } from '../support/daemon.ts';

let made: Scratch;
let daemon: RunningDaemon;
afterEach(async () => {
  await daemon.stop('SIGKILL');
  made.remove();
});
const start = async (): Promise<string> => {
  made = scratch(HOST);
  daemon = await startDaemon([...TEST_URI, '-f', made.config]);
  return made.disk;
};
const served = async (disk: string): Promise<boolean> =>
  await readMetrics(disk).then(
    ({ length }) => length === 1,
    () => false,
  );
const warnings = (): number => daemon.output().split(' had been deleted or replaced and was opened anew').length - 1;

describe('FAULTS 43: the disk of a running daemon', () => {
  it('that is deleted is made anew, with one warning each time', async () => {
    const disk = await start();
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
    const disk = await start();
    rmSync(disk);
    writeFileSync(disk, 'something else');
    await until('the new disk', async () => await served(disk));
    await until('the warning', () => warnings() === 1);
  });
});
