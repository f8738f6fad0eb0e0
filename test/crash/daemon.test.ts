import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { action, TEST_URI, VCPUS } from '../cli/commands/program.ts';
import { stage } from '../integration/process-stage.ts';
import { until, valueOf } from '../support/daemon.ts';
import { faultOf, hold, isBusy } from './disks.ts';
import { breakWrites, runWith } from './strace.ts';
import { PATIENCE } from '../support/patience.ts';

const { place, start } = stage();

/** The domain of libvirt's test driver. */
const UUID = '6695eb01-f6a4-8304-79aa-97f2502e193f';
/** Number of random kills, a second or two each: a 50th of CRASH_KILLS of the environment, else a few. */
const KILLS = 2 * Math.max(3, Math.round(Number(process.env['CRASH_KILLS'] ?? 0) / 100));
/** A metric that changes at each tick. */
const COUNT = action('Count', 'echo $(($(cat count) + 1)) | tee count.new; mv count.new count');

/** Writes a configuration with both kinds of disk, in the folder `where` if it is given. */
const setUp = (where?: string) => {
  const { directory, config } = place('');
  const folder = where ?? directory;
  const [disk, own] = [join(folder, 'shared'), join(folder, `${UUID}.disk`)];
  writeFileSync(join(directory, 'count'), '0');
  const metrics = `${COUNT.replaceAll('count', join(directory, 'count'))}${VCPUS}`;
  writeFileSync(
    config,
    `<vhostmd><globals><disk><name>d</name><path>${disk}</path><size unit="k">64</size></disk>` +
      '<update_period>1</update_period><path>/usr/bin:/bin</path><transport>vbd</transport>' +
      `<vm_disk><path>${folder}/UUID.disk</path><size unit="k">64</size></vm_disk></globals><metrics>${metrics}</metrics></vhostmd>`,
  );
  return { directory, disk, own, args: [...TEST_URI, '-f', config] };
};

const count = async (disk: string): Promise<number> => Number((await valueOf(disk, 'Count').catch(() => 0)) ?? 0);

/** Returns true if both disks have their complete documents. */
const isPublished = (disks: readonly string[]): boolean =>
  disks.every(
    (path) => existsSync(path) && faultOf(path) === undefined && readFileSync(path, 'latin1').includes('Vcpus'),
  );

describe('the daemon', { timeout: 180_000 * PATIENCE }, () => {
  it('FAULTS 46: killed at any write of its start and of its first update leaves disks that are valid after the restart', async () => {
    const killedInUpdate = { times: 0, writes: 0 };
    const lane = async (from: number): Promise<void> => {
      const { disk, own, args } = setUp();
      const disks = [disk, own];
      for (let write = from; ; write += 2) {
        for (const path of disks) rmSync(path, { force: true });
        if (!(await runWith(`signal=KILL:when=${write}`, args, () => isPublished(disks)))) return;
        killedInUpdate.writes += 1;
        const left = disks.filter((path) => existsSync(path));
        if (left.some(isBusy)) killedInUpdate.times += 1;
        const held = left.map(hold);
        const daemon = await start(args);
        // The daemon takes over the old private disk when it has the list of domains.
        await until('both documents', () => isPublished(disks));
        for (const { isSame, close } of held) {
          expect([write, isSame()]).toEqual([write, true]);
          close();
        }
        await daemon.stop('SIGKILL');
        for (const path of disks) expect([path, write, faultOf(path)]).toEqual([path, write, undefined]);
      }
    };
    await Promise.all([lane(1), lane(2)]);
    process.stderr.write(
      `crash: the daemon at ${killedInUpdate.writes} writes, ${killedInUpdate.times} in mid-update\n`,
    );
    expect(killedInUpdate.writes).toBeGreaterThan(15);
    expect(killedInUpdate.times).toBeGreaterThan(5);
  });

  it(`FAULTS 46: killed at ${KILLS} moments of slow updates leaves disks that are valid after the restart`, async () => {
    let inUpdate = 0;
    const lane = async (): Promise<void> => {
      const { disk, own, args } = setUp();
      let held: readonly ReturnType<typeof hold>[] = [];
      for (let kill = 0; kill <= KILLS / 2; kill += 1) {
        const daemon = await start(args);
        await until('both documents', () => isPublished([disk, own]));
        if (held.length === 0) held = [disk, own].map(hold);
        for (const { isSame } of held) expect(isSame()).toBe(true);
        if (kill < KILLS / 2) {
          // Each write now takes 50 ms, an update half a second; the disk is busy most of that time.
          await breakWrites(daemon.child, 'delay_enter=50000');
          await until('an update', () => isBusy(disk) || isBusy(own));
          await sleep(Math.random() * 300);
        }
        await daemon.stop('SIGKILL');
        if ([disk, own].some(isBusy)) inUpdate += 1;
      }
      for (const { close } of held) close();
    };
    await Promise.all([lane(), lane()]);
    process.stderr.write(`crash: the daemon ${KILLS} times, ${inUpdate} in mid-update\n`);
    expect(inUpdate).toBeGreaterThan(0);
  });
});

describe('writes that fail while the daemon runs', { timeout: 60_000 * PATIENCE }, () => {
  it.each([
    ['FAULTS 39: no space', 'ENOSPC', 'no space left on device'],
    ['FAULTS 40: read-only', 'EROFS', 'read-only file system'],
    ['FAULTS 41: I/O errors', 'EIO', 'i/o error'],
  ])('%s: the last documents stay valid, it is said once, and it goes on by itself', async (_what, code, message) => {
    const { disk, own, args } = setUp();
    const daemon = await start(args);
    await until('both documents', () => isPublished([disk, own]));
    const mend = await breakWrites(daemon.child, `error=${code}`);
    await until('the message', () => daemon.output().split(`${code}: ${message}, write`).length > 2);
    const kept = [disk, own].map((path) => readFileSync(path));
    await sleep(1500);
    expect([disk, own].map(faultOf)).toEqual([undefined, undefined]);
    expect([disk, own].map((path) => readFileSync(path))).toEqual(kept);
    expect(daemon.output().split(`${disk} cannot be written: ${code}`)).toHaveLength(2);
    expect(daemon.output().split(`${own} cannot be written: ${code}`)).toHaveLength(2);
    const before = await count(disk);
    await mend();
    await until('new documents', async () => (await count(disk)) > before && (await count(own)) > before);
    expect(daemon.child.exitCode).toBeNull();
    await daemon.printed(`${own} has recovered`);
    await daemon.printed('metrics disk: Recovered');
    expect(daemon.output().match(/ metrics disk: Recovered after \d+\.\d s/g)).toHaveLength(1);
    expect(daemon.output().split(`${own} has recovered`)).toHaveLength(2);
    await daemon.stop();
  });

  it.each([1, 2, 3, 4, 5])(
    'FAULTS 41: one error at write %i of an update: nobody sees anything but whole documents',
    async (write) => {
      const { disk, own, args } = setUp();
      const daemon = await start(args);
      await until('both documents', () => isPublished([disk, own]));
      const mend = await breakWrites(daemon.child, `error=EIO:when=${write}`);
      await daemon.printed('EIO: i/o error, write');
      expect(readFileSync(disk, 'latin1')).toContain('<value>');
      let faults: readonly unknown[] = [];
      const look = (): readonly unknown[] => (faults = [disk, own].map(faultOf));
      await until('no write is under way, as readers wait for it', () => !look().includes('Error: busy'));
      expect(faults).toEqual([undefined, undefined]);
      const before = await count(disk);
      await until('the next document', async () => (await count(disk)) > before);
      await mend();
      await daemon.stop();
    },
  );
});

describe('a small file system', { timeout: 60_000 * PATIENCE }, () => {
  const mount = (directory: string, options: string): void =>
    void execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', directory]);
  const onTmpfs = async (options: string, work: (folder: string) => Promise<void>): Promise<void> => {
    const folder = join(setUp().directory, 'mnt');
    mkdirSync(folder);
    mount(folder, options);
    try {
      await work(folder);
    } finally {
      execFileSync('umount', ['--lazy', folder]);
    }
  };

  it('FAULTS 39: full: disks go on; one that was cut then is told of and made whole again when there is space', async () => {
    await onTmpfs('size=256k', async (folder) => {
      const { disk, own, args } = setUp(folder);
      const daemon = await start(args);
      await until('both documents', () => isPublished([disk, own]));
      const fill = (): void =>
        expect(() => appendFileSync(join(folder, 'filler'), Buffer.alloc(1 << 20))).toThrow('ENOSPC');
      fill();
      const before = await count(disk);
      await until('an update on the full file system', async () => (await count(disk)) > before);
      truncateSync(disk);
      fill();
      await daemon.printed(/ metrics disk: \S+\/shared cannot be written: ENOSPC: no space left on device/);
      const later = await count(own);
      await until('the other disk goes on', async () => (await count(own)) > later);
      rmSync(join(folder, 'filler'));
      await until('the disk, whole again', () => isPublished([disk]));
      await daemon.printed(/ metrics disk: Recovered after /);
      await daemon.stop();
      expect([disk, own].map(faultOf)).toEqual([undefined, undefined]);
    });
  });
});
