import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { action, HOST, TEST_URI, VCPUS, vhostmd } from '../cli/commands/program.ts';
import { PROGRAM, readMetrics, until, valueOf } from '../support/daemon.ts';
import { alive, processesWith } from '../support/processes.ts';
import { stage } from './process-stage.ts';
import { PATIENCE } from '../support/patience.ts';

const { place, start } = stage();

/** Returns the pids of an action's descendants, which have this word in their command lines. */
const marked = (word: string): readonly number[] => processesWith('cmdline', word);

const MEANINGLESS = ['SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGUSR2', 'SIGIO', 'SIGSTKFLT', 'SIGPIPE'] as const;

const busy = (disk: string): number => readFileSync(disk).readUInt32BE(4);

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('ends the daemon with status 0 in 2 s, the disk valid and not busy, the pid file gone', async () => {
    const { disk, config, directory } = place(HOST + VCPUS);
    const pidFile = path.join(directory, 'pid');
    const daemon = await start([...TEST_URI, '-f', config, '-p', pidFile]);
    await until('both metrics', async () => (await readMetrics(disk)).length === 2);
    const { code, ms } = await daemon.stop(signal);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(2000 * PATIENCE);
    expect(busy(disk)).toBe(0);
    expect((await readMetrics(disk)).map(({ name }) => name)).toEqual(['HostName', 'Vcpus']);
    expect(existsSync(pidFile)).toBe(false);
    expect(daemon.output()).toContain(`daemon: Stopping (${signal})`);
  });
});

describe('CASE D2: signals', () => {
  it.each(['SIGQUIT', 'SIGXCPU', 'SIGPWR'] as const)(
    'CASE D2: %s ends the daemon as SIGTERM does: the disk valid and not busy, the pid file gone',
    async (signal) => {
      const { disk, config, directory } = place(HOST + action('Sleeper', 'sleep 60', { more: 'timeout="1"' }));
      const pidFile = path.join(directory, 'pid');
      const daemon = await start([...TEST_URI, '-f', config, '-p', pidFile]);
      expect((await daemon.stop(signal)).code).toBe(0);
      expect(busy(disk)).toBe(0);
      expect((await readMetrics(disk)).map(({ name }) => name)).toContain('HostName');
      expect(existsSync(pidFile)).toBe(false);
      expect(daemon.output()).toContain(`daemon: Stopping (${signal})`);
    },
  );

  it('CASE D2: that mean nothing to the daemon do not end it', async () => {
    const { disk, config, directory } = place(HOST + action('Date', 'date +%s.%N'));
    const pidFile = path.join(directory, 'pid');
    const daemon = await start([...TEST_URI, '-f', config, '-p', pidFile]);
    for (const signal of MEANINGLESS) daemon.child.kill(signal);
    const before = await valueOf(disk, 'Date');
    await until('a new value', async () => (await valueOf(disk, 'Date')) !== before);
    expect({ code: daemon.child.exitCode, signal: daemon.child.signalCode }).toEqual({ code: null, signal: null });
    expect((await daemon.stop()).code).toBe(0);
    expect(existsSync(pidFile)).toBe(false);
  });

  it('CASE D2: SIGHUP and those that mean nothing do not end a start', async () => {
    const { config, directory } = place(HOST + action('Slow', 'sleep 2; echo 1'), { period: 10 });
    const pidFile = path.join(directory, 'pid');
    const daemon = await start([...TEST_URI, '-f', config, '-p', pidFile], { ready: false });
    await until('the pid file', () => existsSync(pidFile), 30_000);
    for (const signal of ['SIGHUP', ...MEANINGLESS] as const) daemon.child.kill(signal);
    await daemon.printed('Ready: ', 30_000);
    expect((await daemon.stop()).code).toBe(0);
  });

  it.each(['SIGQUIT', 'SIGXCPU', 'SIGHUP'] as const)(
    'CASE D2: %s at the command that starts the daemon in the background ends that start',
    async (signal) => {
      const { config, directory } = place(action('Slow', 'sleep 30'), { period: 60 });
      const pidFile = path.join(directory, 'pid');
      const child = spawn(process.execPath, [PROGRAM, '-f', config, '-p', pidFile], { stdio: 'ignore' });
      await until('the pid file', () => existsSync(pidFile), 30_000);
      const daemon = Number(readFileSync(pidFile, 'utf8'));
      child.kill(signal);
      await until('the end of both', () => child.exitCode !== null && !alive(daemon), 30_000);
      expect(child.exitCode).toBe(1);
      expect(existsSync(pidFile)).toBe(false);
    },
  );

  it('CASE D2: SIGQUIT ends `once` with no action left behind', async () => {
    const mark = String(Math.floor(Math.random() * 1e9));
    const { config } = place(action('Slow', `sleep 1000.${mark}`), { period: 60 });
    const child = spawn(process.execPath, [PROGRAM, 'once', ...TEST_URI, '-f', config], { stdio: 'ignore' });
    await until('its action', () => marked(`1000.${mark}`).length > 0, 30_000);
    child.kill('SIGQUIT');
    await until('its end', () => child.exitCode !== null, 30_000);
    await until('the end of its action', () => marked(`1000.${mark}`).length === 0);
  });
});

describe('CASE D4: the name of the process', () => {
  const lines = (command: string, args: readonly string[]): readonly string[] =>
    spawnSync(command, args, { encoding: 'utf8' })
      .stdout.trim()
      .split(/[\s,]+/);

  it('CASE D4: is found by pidof, pgrep and ps, with its arguments, in the foreground', async () => {
    const { config } = place(HOST);
    const { child } = await start([...TEST_URI, '-f', config]);
    const pid = String(child.pid);
    expect(lines('pidof', ['vhostmd'])).toContain(pid);
    expect(lines('pgrep', ['-x', 'vhostmd'])).toContain(pid);
    expect(lines('pgrep', ['-f', `^vhostmd -d .*${config}$`])).toEqual([pid]);
    expect(spawnSync('ps', ['-o', 'comm=,args=', '-p', pid], { encoding: 'utf8' }).stdout).toMatch(
      new RegExp(`^vhostmd +vhostmd -d -c test:///default -f ${config}\\s*$`),
    );
  });

  it('CASE D4: is that of a daemon in the background, whose pid file is known as one of a running daemon', () => {
    const { config, directory } = place(HOST);
    const pidFile = path.join(directory, 'pid');
    const args = [...TEST_URI, '-f', config, '-p', pidFile];
    expect(vhostmd(args).code).toBe(0);
    const pid = readFileSync(pidFile, 'utf8').trim();
    try {
      expect(lines('pidof', ['vhostmd'])).toContain(pid);
      expect(lines('pgrep', ['-x', 'vhostmd'])).toContain(pid);
      const second = vhostmd(args);
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(`vhostmd is already running as process ${pid}`);
    } finally {
      process.kill(Number(pid), 'SIGTERM');
    }
  });

  it('CASE D4: is not that of a command that only looks', async () => {
    const { config, disk } = place(HOST + action('Date', 'date +%s.%N'));
    await start([...TEST_URI, '-f', config]);
    const child = spawn(process.execPath, [PROGRAM, 'watch', disk], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    expect(lines('pidof', ['vhostmd'])).not.toContain(String(child.pid));
    child.kill();
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
    expect(ms).toBeLessThan(2000 * PATIENCE);
    // A killed process takes a moment to end.
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
      // At about the second tick's update.
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
    expect(ms).toBeLessThan(2000 * PATIENCE);
    expect(existsSync(pidFile)).toBe(false);
  });
});
