import { existsSync, readFileSync, readlinkSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { action, HOST, TEST_URI, VCPUS } from '../cli/commands/program.ts';
import { readMetrics, type RunningDaemon, until, valueOf } from '../support/daemon.ts';
import { descriptorsOf } from '../support/processes.ts';
import { stage } from './process-stage.ts';

const { place, start } = stage();

const edit = (config: string, change: (text: string) => string): void =>
  writeFileSync(config, change(readFileSync(config, 'utf8')));
const add = (config: string, metric: string): void =>
  edit(config, (text) => text.replace('</metrics>', `${metric}</metrics>`));
const has = async (disk: string, name: string): Promise<boolean> =>
  existsSync(disk) && (await readMetrics(disk)).some((metric) => metric.name === name);
const times = (daemon: RunningDaemon, text: string): number => daemon.output().split(text).length - 1;

/** Returns the daemon's descriptors that are open on this file. */
const openOn = (daemon: RunningDaemon, file: string): readonly string[] => {
  const directory = `/proc/${daemon.child.pid}/fd`;
  return readdirSync(directory).filter((fd) => {
    try {
      return readlinkSync(path.join(directory, fd)) === file;
    } catch {
      return false;
    }
  });
};

describe('a reload', () => {
  it('publishes the metrics of the new file on the same open disk, which is never without a document', async () => {
    const { disk, config } = place(HOST + VCPUS);
    const daemon = await start([...TEST_URI, '-f', config]);
    await until('VM metrics', async () => await has(disk, 'Vcpus'));
    const inode = statSync(disk).ino;
    const open = openOn(daemon, disk);
    add(config, action('New', 'echo new'));
    daemon.child.kill('SIGHUP');
    await until('the new metric', async () => {
      expect(await has(disk, 'HostName')).toBe(true);
      expect(await has(disk, 'Vcpus')).toBe(true);
      return await has(disk, 'New');
    });
    expect(statSync(disk).ino).toBe(inode);
    expect(openOn(daemon, disk)).toEqual(open);
    await daemon.printed(`configuration: Reloading ${config}`);
    expect(times(daemon, 'metrics disk: ')).toBe(1);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('ends the old pipeline: its actions run no more', async () => {
    const { disk, directory } = place('');
    const log = path.join(directory, 'runs');
    writeFileSync(log, '');
    const runs = (): readonly string[] => readFileSync(log, 'utf8').trim().split('\n');
    const made = place(action('Old', `echo old >> ${log}; echo 1`) + HOST);
    const daemon = await start([...TEST_URI, '-f', made.config]);
    await until('a run of the old one', () => runs().includes('old'));
    edit(made.config, (text) => text.replace('echo old', 'echo new'));
    daemon.child.kill('SIGHUP');
    await until('four runs of the new one', () => runs().filter((run) => run === 'new').length >= 4);
    expect(runs().slice(-3)).toEqual(['new', 'new', 'new']);
    expect(existsSync(disk)).toBe(false);
  });

  it('FAULTS 50: of a bad file changes nothing and says why, with the place', async () => {
    const { disk, config } = place(HOST);
    const daemon = await start([...TEST_URI, '-f', config]);
    const good = readFileSync(config, 'utf8');
    edit(config, (text) => text.replace('<metrics>', '<metrics>\n<metrik/>'));
    daemon.child.kill('SIGHUP');
    await daemon.printed('Not reloaded: the former configuration stays in force');
    expect(daemon.output()).toContain(`${config}:2:1: `);
    expect(daemon.output()).toContain('metrik');
    const before = statSync(disk).mtimeMs;
    await until('the next update', () => statSync(disk).mtimeMs > before);
    expect(await has(disk, 'HostName')).toBe(true);

    writeFileSync(config, good);
    add(config, action('New', 'echo new'));
    daemon.child.kill('SIGHUP');
    await until('the new metric', async () => await has(disk, 'New'));
    expect((await daemon.stop()).code).toBe(0);
  });

  it('FAULTS 51: fifty at once are few reloads, and the last file counts', async () => {
    const { disk, config } = place(HOST);
    const daemon = await start([...TEST_URI, '-f', config]);
    for (let round = 0; round < 50; round += 1) {
      daemon.child.kill('SIGHUP');
      if (round === 40) add(config, action('New', 'echo new'));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until('the new metric', async () => await has(disk, 'New'));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(times(daemon, 'Reloading ')).toBeGreaterThanOrEqual(1);
    expect(times(daemon, 'Reloading ')).toBeLessThanOrEqual(10);
    expect(await has(disk, 'New')).toBe(true);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('again and again makes nothing grow', async () => {
    const { disk, config } = place(HOST + VCPUS);
    const daemon = await start([...TEST_URI, '-v', '-f', config]);
    const reload = async (round: number): Promise<void> => {
      edit(config, (text) => text.replace(/<name>(HostName|R\d+)/, `<name>R${round}`));
      daemon.child.kill('SIGHUP');
      await until(`reload ${round}`, async () => await has(disk, `R${round}`));
    };
    for (let round = 0; round < 3; round += 1) await reload(round);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const before = descriptorsOf(daemon.child.pid);
    for (let round = 3; round < 9; round += 1) await reload(round);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // During a tick some files of /proc are open.
    await until('no descriptor is open that was not before', () => descriptorsOf(daemon.child.pid) <= before);
    // With one pipeline, a tick is one line.
    const lines = (): number => times(daemon, ' VM metrics of ');
    const start0 = lines();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(lines() - start0).toBeLessThanOrEqual(4);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('FAULTS 52: to another path makes that disk and releases the old one, whose document stays', async () => {
    const { disk, config } = place(HOST);
    const daemon = await start([...TEST_URI, '-f', config]);
    const other = `${disk}2`;
    edit(config, (text) => text.replace(`<path>${disk}<`, `<path>${other}<`));
    daemon.child.kill('SIGHUP');
    // Before this line the disk may be incomplete.
    await daemon.printed(`metrics disk: ${other}, `);
    await until('the new disk', async () => await has(other, 'HostName'));
    await until('the release of the old one', () => openOn(daemon, disk).length === 0);
    expect(openOn(daemon, other)).toHaveLength(1);
    expect(await has(disk, 'HostName')).toBe(true);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('FAULTS 52: to a larger size grows the same file, to a smaller leaves it', async () => {
    const { disk, config } = place(HOST, { sizeKiB: 64 });
    const daemon = await start([...TEST_URI, '-f', config]);
    const { ino, size } = statSync(disk);
    expect(size).toBe(64 * 1024);
    edit(config, (text) => text.replace('>64<', '>512<'));
    daemon.child.kill('SIGHUP');
    await until('the larger disk', () => statSync(disk).size === 512 * 1024);
    await until('its document', async () => await has(disk, 'HostName'));
    edit(config, (text) => text.replace('>512<', '>128<'));
    daemon.child.kill('SIGHUP');
    await until('the second reload', () => times(daemon, 'metrics disk: ') >= 3);
    expect(statSync(disk)).toMatchObject({ ino, size: 512 * 1024 });
    expect((await daemon.stop()).code).toBe(0);
  });

  it('to a disk that cannot be opened is reported, ends nothing, and is repaired by the next', async () => {
    const { disk, config, directory } = place(HOST);
    const daemon = await start([...TEST_URI, '-f', config]);
    const good = readFileSync(config, 'utf8');
    edit(config, (text) => text.replace(`<path>${disk}<`, `<path>${directory}<`));
    daemon.child.kill('SIGHUP');
    await daemon.printed(`${directory} is a directory, and a metrics disk must be a regular file`);
    writeFileSync(config, good);
    daemon.child.kill('SIGHUP');
    await until('the disk to be in use again', () => openOn(daemon, disk).length === 1);
    const before = statSync(disk).mtimeMs;
    await until('an update', () => statSync(disk).mtimeMs > before);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('takes over when the new period is long, without a gap', async () => {
    const { disk, config } = place(HOST);
    const daemon = await start([...TEST_URI, '-f', config]);
    edit(config, (text) => text.replace('<update_period>1<', '<update_period>3600<'));
    add(config, action('New', 'sleep 1.5; echo new'));
    daemon.child.kill('SIGHUP');
    // The new pipeline's first snapshot waits 1 s at most for the slow action, whose value follows.
    await until('the new metric', async () => {
      expect(await has(disk, 'HostName')).toBe(true);
      return await has(disk, 'New');
    });
    expect((await daemon.stop()).code).toBe(0);
  });

  it('logs again which metrics are left out, and nothing of removed ones', async () => {
    const { disk, config } = place(HOST + action('Broken', 'exit 3'));
    const daemon = await start([...TEST_URI, '-f', config]);
    await daemon.printed('"Broken" (');
    edit(config, (text) =>
      text.replace('<name>Broken</name><action><![CDATA[exit 3', '<name>Mended</name><action><![CDATA[echo 1'),
    );
    add(config, action('Other', 'exit 4'));
    daemon.child.kill('SIGHUP');
    await daemon.printed(/"Other" \(.*has no value for the host/);
    await until('the mended metric', async () => (await valueOf(disk, 'Mended')) === '1');
    expect(daemon.output()).not.toContain('has a value again');
    expect(times(daemon, '"Broken"')).toBe(1);
  });
});
