import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { describe, expect, it } from 'vitest';

import { action, HOST, TEST_URI } from '../cli/commands/program.ts';
import { PROGRAM, readMetrics, until, valueOf } from '../support/daemon.ts';
import { stage } from './process-stage.ts';

const { place, start } = stage();

describe('output without a reader', () => {
  it.each(['2>&1 >/dev/null | head -n 1', '2>&- >&-', '>/dev/full 2>/dev/full'])(
    'FAULTS 56: is no reason to stop (%s)',
    async (redirection) => {
      const { directory, disk, config } = place(HOST, { globals: '<sink type="log"/>' });
      const pidFile = path.join(directory, 'pid');
      const shell = spawn(
        '/bin/sh',
        [
          '-c',
          `'${process.execPath}' '${PROGRAM}' -d -v -c test:///default -f '${config}' -p '${pidFile}' ${redirection}`,
        ],
        { stdio: 'ignore' },
      );
      const ended = once(shell, 'exit');
      await until('the disk', () => existsSync(disk) && existsSync(pidFile));
      const pid = Number(readFileSync(pidFile, 'utf8'));
      try {
        const time = (): string => readFileSync(disk).toString('latin1');
        const mtimes = new Set<number>();
        await until('four updates', async () => {
          mtimes.add(statSync(disk).mtimeMs);
          return time().includes('HostName') && mtimes.size >= 4;
        });
        process.kill(pid, 0);
      } finally {
        process.kill(pid, 'SIGTERM');
      }
      await ended;
      await until('the pid file to go', () => !existsSync(pidFile));
    },
  );
});

describe('a bug', () => {
  it.each([
    ['an exception', 'throw new Error("injected\\nfault")'],
    ['a rejection', 'void Promise.reject(new Error("injected\\nfault"))'],
    ['a rejection with something odd', 'void Promise.reject("injected\\nfault")'],
  ])(
    'FAULTS 57: %s that nobody handles is logged and ends with status 1 at once, the disk valid',
    async (_, script) => {
      const { directory, disk, config } = place(HOST + action('Sleep', 'sleep 1000', { more: 'timeout="1"' }));
      const pidFile = path.join(directory, 'pid');
      const module = path.join(directory, 'bug.cjs');
      writeFileSync(module, `process.on('SIGUSR2', () => { ${script} })`);
      const daemon = await start([...TEST_URI, '-f', config, '-p', pidFile], {
        env: { NODE_OPTIONS: `--require=${module}` },
      });
      const ended = once(daemon.child, 'close');
      daemon.child.kill('SIGUSR2');
      const [code] = (await Promise.race([
        ended,
        new Promise((resolve) => setTimeout(() => resolve(['still running']), 5000)),
      ])) as [number | string];
      expect(code).toBe(1);
      expect(daemon.output()).toMatch(/err +daemon: Stopped by a bug, please report it: .*injected/);
      expect(await valueOf(disk, 'HostName')).toBeDefined();
      expect(existsSync(pidFile)).toBe(false);
    },
  );
});

describe('an action', () => {
  it("FAULTS 70: sees none of the daemon's descriptors and none of the service manager's variables", async () => {
    const { disk, config } = place(
      action('Fds', 'echo $(ls -l /proc/self/fd | grep -v -e /proc/ -e total | sed "s/.* -> //")') +
        action('Env', 'echo $(env | sort)'),
    );
    const secret = {
      WATCHDOG_PID: '1',
      WATCHDOG_USEC: '30000000',
      LISTEN_FDS: '1',
      LISTEN_PID: '1',
      INVOCATION_ID: 'x',
      JOURNAL_STREAM: '1:1',
      VHOSTMD_BACKGROUND: '1',
      SECRET: 'x',
    };
    await start([...TEST_URI, '-f', config], { env: secret });
    await until('both actions', async () => (await readMetrics(disk)).length === 2);
    expect((await valueOf(disk, 'Fds'))?.split(' ').filter((fd) => !/^(pipe|socket):|^\/dev\/null$/.test(fd))).toEqual(
      [],
    );
    const names = (await valueOf(disk, 'Env'))?.split(' ').map((one) => one.split('=')[0]);
    expect(names).toEqual(expect.arrayContaining(['LC_ALL', 'PATH']));
    expect(names?.filter((name) => name !== undefined && name in secret)).toEqual([]);
  });
});
