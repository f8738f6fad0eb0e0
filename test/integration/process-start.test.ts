import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { action, HOST, TEST_URI, VCPUS, vhostmd } from '../cli/commands/program.ts';
import { readMetrics, scratch, until, valueOf } from '../support/daemon.ts';
import { stage } from './process-stage.ts';

const { place, start } = stage();

describe('a start with a configuration that cannot be used', () => {
  const { directory, disk, config, remove } = scratch(HOST);
  const badly = (...args: readonly string[]) => vhostmd(['-d', ...TEST_URI, ...args]);

  it.each([
    ['is missing', '/nonexistent/vhostmd.conf', 'There is no such file; give the path'],
    ['is a directory', '/tmp', 'directory'],
    ['is a device', '/dev/null', 'not a regular file'],
    ['is empty', 'empty', 'empty'],
  ])('FAULTS 1: a file that %s ends with status 2 and one line', (_, file, message) => {
    const target = file === 'empty' ? path.join(directory, 'empty') : file;
    if (file === 'empty') writeFileSync(target, '');
    const { code, stdout, stderr } = badly('-f', target);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^[^\n]*configuration: [^\n]+\n$/);
    expect(stderr).toContain(`configuration: ${target}: `);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(existsSync(disk)).toBe(false);
  });

  it('FAULTS 2: one that is not well-formed ends with status 2 and its place; a valid disk is not touched', () => {
    writeFileSync(disk, 'what was there');
    const bad = path.join(directory, 'bad');
    writeFileSync(bad, readFileSync(config, 'utf8').replace('<name>HostName</name>', '\n<name>HostName</nam>'));
    for (const background of [false, true]) {
      const { code, stderr } = vhostmd([
        ...(background ? [] : ['-d']),
        ...TEST_URI,
        '-f',
        bad,
        '-p',
        path.join(directory, 'pid'),
      ]);
      expect(stderr).toMatch(new RegExp(`err +configuration: ${bad}:2:\\d+: `));
      expect(code).toBe(2);
    }
    expect(readFileSync(disk, 'utf8')).toBe('what was there');
    expect(existsSync(path.join(directory, 'pid'))).toBe(false);
    remove();
  });

  it('finds a relative file from where it was started', () => {
    const made = place('<metric/>');
    const { code, stderr } = vhostmd(['-d', '-f', 'vhostmd.conf'], { cwd: made.directory });
    expect(stderr).toContain(`${made.config}:1:`);
    expect(code).toBe(2);
  });
});

describe('a daemon in the foreground', () => {
  it('publishes host and VM metrics before it says that it is ready', async () => {
    const { disk, config } = place(HOST + VCPUS);
    await start([...TEST_URI, '-f', config]);
    expect(await valueOf(disk, 'HostName')).toBeTruthy();
    await until('VM metrics', async () => (await readMetrics(disk)).some(({ context }) => context === 'vm'));
  });

  it('says one line for each snapshot when it is verbose, with counts, size and time, and the path once', async () => {
    const { disk, config } = place(HOST + VCPUS);
    const daemon = await start([...TEST_URI, '-v', '-f', config]);
    const written = (): readonly string[] =>
      daemon
        .output()
        .split('\n')
        .filter((line) => line.includes(' debug '));
    const whole = /1 host and 1 VM metrics of 1 VM, \d+ bytes, \d+\.\d ms$/;
    await until('three whole snapshots', () => written().filter((line) => whole.test(line)).length >= 3);
    for (const line of written()) {
      expect(line).toMatch(/[01] host and [01] VM metrics of [01] VMs?, \d+ bytes, \d+\.\d ms$/);
      expect(line.split(disk)).toHaveLength(2);
    }
    await daemon.stop();
    expect(daemon.output()).not.toContain('NaN');
  });

  it('says nothing for a snapshot when it is not', async () => {
    const { config } = place(HOST);
    const daemon = await start([...TEST_URI, '-f', config]);
    await daemon.printed('libvirt: Connected');
    const before = daemon.output();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(daemon.output()).toBe(before);
  });

  it('writes no pid file without the option', async () => {
    const { config, directory } = place(HOST);
    const pidFile = path.join(directory, 'pid');
    const daemon = await start([...TEST_URI, '-f', config, '-p', pidFile]);
    expect(readFileSync(pidFile, 'utf8')).toBe(`${daemon.child.pid}\n`);
    await daemon.stop();
    expect(existsSync(pidFile)).toBe(false);
  });

  it('CASE B10: says a failing action once, however often it comes and goes within a minute', async () => {
    const { directory, config } = place('', {});
    const flag = path.join(directory, 'flag');
    const made = place(action('Flag', `cat ${flag}`));
    rmSync(config);
    const daemon = await start([...TEST_URI, '-f', made.config]);
    await daemon.printed('has no value for the host: ');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(daemon.output().match(/"Flag" \([^)]*\) has no value for the host: /g)).toHaveLength(1);
    for (let times = 0; times < 3; times += 1) {
      writeFileSync(flag, 'up');
      await until('the value is back', async () => (await valueOf(made.disk, 'Flag')) === 'up');
      rmSync(flag);
      await until('the value has gone', async () => (await valueOf(made.disk, 'Flag')) === undefined);
    }
    expect(daemon.output().match(/"Flag"/g)).toHaveLength(1);
  });
});

describe('a second daemon', () => {
  it('FAULTS 45: on the same disk ends with status 1 and leaves the first alone, its pid file too', async () => {
    const { directory, disk, config } = place(HOST);
    const pidFile = path.join(directory, 'pid');
    const second = path.join(directory, 'second.pid');
    const daemon = await start([...TEST_URI, '-f', config, '-p', pidFile]);
    const { code, stderr } = vhostmd(['-d', ...TEST_URI, '-f', config, '-p', second]);
    expect(stderr).toContain(`${disk} is already in use by another vhostmd`);
    expect(code).toBe(1);
    expect(existsSync(second)).toBe(false);
    const same = vhostmd(['-d', ...TEST_URI, '-f', config, '-p', pidFile]);
    expect(same.stderr).toContain(
      `vhostmd is already running as process ${daemon.child.pid} (pid file ${pidFile}); stop it first`,
    );
    expect(same.code).toBe(1);
    expect(readFileSync(pidFile, 'utf8')).toBe(`${daemon.child.pid}\n`);
    expect(await valueOf(disk, 'HostName')).toBeDefined();
    expect((await daemon.stop()).code).toBe(0);
  });

  it('FAULTS 55: takes over the pid file of one that was killed', async () => {
    const { directory, config } = place(HOST);
    const pidFile = path.join(directory, 'pid');
    const first = await start([...TEST_URI, '-f', config, '-p', pidFile]);
    await first.stop('SIGKILL');
    expect(readFileSync(pidFile, 'utf8')).toBe(`${first.child.pid}\n`);
    const second = await start([...TEST_URI, '-f', config, '-p', pidFile]);
    expect(readFileSync(pidFile, 'utf8')).toBe(`${second.child.pid}\n`);
  });

  it.each(['text', 'device', 'directory'])(
    'FAULTS 55: leaves a pid file alone that is none (%s), and no disk behind',
    (kind) => {
      const { directory, disk, config } = place(HOST);
      const pidFile = kind === 'device' ? '/dev/null' : path.join(directory, 'file');
      if (kind === 'text') writeFileSync(pidFile, 'dear diary\n');
      if (kind === 'directory') mkdirSync(pidFile);
      const { code, stderr } = vhostmd(['-d', ...TEST_URI, '-f', config, '-p', pidFile]);
      expect(stderr).toContain(`${pidFile} is not a pid file, so it is left as it is`);
      expect(code).toBe(1);
      if (kind === 'text') expect(readFileSync(pidFile, 'utf8')).toBe('dear diary\n');
      expect(existsSync(disk)).toBe(false);
    },
  );
});

it('refuses a disk path that it cannot use, with status 1 and one line, in the foreground and in the background', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-start-'));
  const made = place(HOST);
  mkdirSync(made.disk);
  chmodSync(directory, 0o755);
  for (const flags of [['-d'], []]) {
    const { code, stderr } = vhostmd([...flags, ...TEST_URI, '-f', made.config, '-p', path.join(directory, 'pid')]);
    expect(stderr.split('\n').filter((line) => line.includes(' err '))).toEqual([
      expect.stringContaining(`${made.disk} is a directory, and a metrics disk must be a regular file`),
    ]);
    expect(code).toBe(1);
    expect(existsSync(path.join(directory, 'pid'))).toBe(false);
  }
  rmSync(directory, { recursive: true });
});
