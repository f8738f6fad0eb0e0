import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { action, HOST, TEST_URI, VCPUS } from '../commands/program.ts';
import { readMetrics, until } from '../support/daemon.ts';
import { processesWith } from '../support/processes.ts';
import { stage } from './process-stage.ts';

const { place, start } = stage();

/** The descendants of one daemon's actions, by a word in their command lines. */
const marked = (word: string): readonly number[] => processesWith('cmdline', word);

const busy = (disk: string): number => readFileSync(disk).readUInt32BE(4);

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('ends the daemon with status 0 in 2 s, the disk valid and not busy, the pid file gone', async () => {
    const { disk, config, directory } = place(HOST + VCPUS);
    const pidFile = path.join(directory, 'pid');
    const daemon = await start([...TEST_URI, '-f', config, '-p', pidFile]);
    await until('both metrics', async () => (await readMetrics(disk)).length === 2);
    const { code, ms } = await daemon.stop(signal);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(2000);
    expect(busy(disk)).toBe(0);
    expect((await readMetrics(disk)).map(({ name }) => name)).toEqual(['HostName', 'Vcpus']);
    expect(existsSync(pidFile)).toBe(false);
    expect(daemon.output()).toContain(`daemon: Stopping (${signal})`);
  });
});

describe('a stop', () => {
  it.each([
    ['hangs', 'sleep 1000.$MARK'],
    ['ignores SIGTERM', `trap '' TERM; sleep 1000.$MARK; sleep 1000.$MARK`],
    ['has a child in the background', 'sleep 1000.$MARK & sleep 1000.$MARK'],
    ['ends at once but leaves a child behind', 'sleep 1000.$MARK & echo 1'],
    ['has a child that ignores SIGTERM while the shell does not', `(trap '' TERM; sleep 1000.$MARK; true) & wait`],
  ])('leaves no child of an action that %s, within 2 s', async (_, command) => {
    const mark = String(Math.floor(Math.random() * 1e9));
    const { disk, config } = place(
      HOST + action('Action', command.replaceAll('$MARK', mark), { more: 'timeout="10"' }),
      {
        period: 10,
      },
    );
    const daemon = await start([...TEST_URI, '-f', config]);
    if (!command.endsWith('echo 1')) expect(marked(`1000.${mark}`).length).toBeGreaterThan(0);
    const { code, ms } = await daemon.stop();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(2000);
    // What is killed at the very end takes a moment to be gone.
    await until('the end of all children', () => marked(`1000.${mark}`).length === 0, 500);
    expect(busy(disk)).toBe(0);
  });

  it('while actions start again and again leaves none', async () => {
    const mark = String(Math.floor(Math.random() * 1e9));
    const metrics = Array.from({ length: 30 }, (_, index) =>
      action(`A${index}`, `sleep 0.${index % 10}; : 1000.${mark} ${index}`),
    );
    const { config } = place(HOST + metrics.join(''));
    const daemon = await start([...TEST_URI, '-f', config]);
    expect((await daemon.stop()).code).toBe(0);
    expect(marked(`1000.${mark}`)).toEqual([]);
  });

  it('that is asked for again and again is one stop', async () => {
    const { config } = place(HOST + action('Stubborn', `trap '' TERM; sleep 60`));
    const daemon = await start([...TEST_URI, '-f', config]);
    const ended = daemon.stop();
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGTERM'] as const) daemon.child.kill(signal);
    expect((await ended).code).toBe(0);
    expect(daemon.output().match(/Stopping/g)).toHaveLength(1);
  });

  it('FAULTS 47: at any time leaves a valid document', async () => {
    const many = Array.from({ length: 800 }, (_, index) => action(`Time${index}`, 'date +%s.%N')).join('');
    const { disk, config } = place(HOST + many, { sizeKiB: 1024 });
    for (let round = 0; round < 6; round += 1) {
      const daemon = await start([...TEST_URI, '-f', config]);
      // Somewhere around the second tick's update.
      await new Promise((resolve) => setTimeout(resolve, 960 + round * 25));
      expect((await daemon.stop()).code).toBe(0);
      expect(busy(disk)).toBe(0);
      expect((await readMetrics(disk)).length).toBeGreaterThan(1);
    }
  });

  it('before the first snapshot ends with status 0 too', async () => {
    const { config, directory } = place(action('Slow', 'sleep 30'), { period: 60 });
    const pidFile = path.join(directory, 'pid');
    const daemon = await start([...TEST_URI, '-f', config, '-p', pidFile], { ready: false });
    await until('the pid file', () => existsSync(pidFile));
    const { code, ms } = await daemon.stop();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(2000);
    expect(existsSync(pidFile)).toBe(false);
  });
});
