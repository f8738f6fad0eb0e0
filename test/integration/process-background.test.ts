import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it } from 'vitest';

import { action, HOST, TEST_URI, VCPUS, vhostmd } from '../cli/commands/program.ts';
import { PROGRAM, readMetrics, scratch, type Scratch, until } from '../support/daemon.ts';
import { alive } from '../support/processes.ts';

interface Place extends Scratch {
  readonly pidFile: string;
  readonly pid: () => number;
  readonly args: readonly string[];
}

const places: Place[] = [];
const place = (...args: Parameters<typeof scratch>): Place => {
  const made = scratch(...args);
  const pidFile = path.join(made.directory, 'pid');
  const pid = (): number => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0);
  places.push({ ...made, pidFile, pid, args: [...TEST_URI, '-f', made.config, '-p', pidFile] });
  return places.at(-1) as Place;
};
const end = async (pid: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
  if (pid > 0 && alive(pid)) process.kill(pid, signal);
  await until(`the end of ${pid}`, () => !alive(pid));
};
afterEach(async () => {
  for (const { pid, remove } of places.splice(0)) {
    if (pid() > 0) await end(pid(), 'SIGKILL');
    remove();
  }
});

describe('a start in the background', () => {
  it('returns 0 only when the first snapshot is on the disk', async () => {
    const { args, disk, pid } = place(HOST + VCPUS);
    const { code, stdout } = vhostmd(args);
    expect((await readMetrics(disk)).map(({ name }) => name)).toEqual(['HostName', 'Vcpus']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(alive(pid())).toBe(true);
  });

  it('CASE D5: prints nothing when all goes well, its steps with -v, and warnings always', () => {
    expect(vhostmd(place(HOST + VCPUS).args)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const { stderr } = vhostmd([...place(HOST).args, '-v']);
    expect(stderr).toContain('notice  daemon: Ready: the first snapshot is published\n');
    const twice = vhostmd(place(HOST + HOST).args);
    expect(twice.stderr).toMatch(/^\S+ warning configuration: [^\n]*HostName[^\n]*\n$/);
  });

  it('CASE D5: is ready with all values, also where one takes longer than a tick waits for it', async () => {
    // A tick waits for half a period, 1 s at most.
    const { args, disk } = place(VCPUS + action('Slow', 'sleep 2; echo slow'), { period: 8 });
    expect(vhostmd(args).code).toBe(0);
    const metrics = await readMetrics(disk);
    expect(metrics.map(({ name, value }) => [name, value])).toEqual([
      ['Slow', 'slow'],
      ['Vcpus', '2'],
    ]);
  });

  it('CASE D5: is ready without the value of an action that hangs', async () => {
    const { args, disk } = place(HOST + action('Hangs', 'sleep 1000'), { period: 120 });
    expect(vhostmd(args).code).toBe(0);
    expect((await readMetrics(disk)).map(({ name }) => name)).toEqual(['HostName']);
  });

  it('leaves a daemon in a session of its own, in /, with no descriptor of the caller, that goes on and ends well', async () => {
    const { args, disk, pid, pidFile } = place(HOST + action('Date', 'date +%s.%N'));
    expect(vhostmd(args).code).toBe(0);
    const daemon = pid();
    const stat = readFileSync(`/proc/${daemon}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    expect({ session: Number(stat[3]), terminal: stat[4] }).toEqual({ session: daemon, terminal: '0' });
    expect(readlinkSync(`/proc/${daemon}/cwd`)).toBe('/');
    for (const fd of [0, 1, 2]) expect(readlinkSync(`/proc/${daemon}/fd/${fd}`)).toBe('/dev/null');
    const value = async () => (await readMetrics(disk)).find(({ name }) => name === 'Date')?.value;
    const before = await value();
    await until('a new value', async () => ![before, undefined].includes(await value()));
    await end(daemon);
    expect(existsSync(pidFile)).toBe(false);
    expect((await readMetrics(disk)).length).toBe(2);
  });

  it('outlives the terminal that it was started from', async () => {
    const { args, pid, disk } = place(HOST);
    const command = [process.execPath, PROGRAM, ...args].map((arg) => `'${arg}'`).join(' ');
    const terminal = spawn('script', ['-qec', `${command}; exit 0`, '/dev/null'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    await once(terminal, 'exit');
    await sleep(300);
    expect(alive(pid())).toBe(true);
    expect((await readMetrics(disk)).length).toBe(1);
  });

  it('releases the pipe of its messages, so that a caller that reads to the end can continue', async () => {
    const { args, pid } = place(HOST);
    const shell = spawn('/bin/sh', ['-c', `'${process.execPath}' '${PROGRAM}' -v "$@" 2>&1 | cat`, 'sh', ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    shell.stdout.on('data', (data: Buffer) => (text += data.toString()));
    await once(shell, 'close');
    expect(text).toContain('Ready: ');
    expect(alive(pid())).toBe(true);
  });

  it('continues when its messages are not read', async () => {
    const { args, disk, pid } = place(
      HOST + '<metric type="int32" context="host"><name>A</name><action>echo 1</action></metric>'.repeat(3),
    );
    const shell = spawn(
      '/bin/sh',
      [
        '-c',
        `'${process.execPath}' '${PROGRAM}' -v "$@" 2>&1 | true; '${process.execPath}' '${PROGRAM}' --version >/dev/null`,
        'sh',
        ...args,
      ],
      { stdio: 'ignore' },
    );
    await once(shell, 'exit');
    await until('the first snapshot', () => existsSync(disk) && readFileSync(disk, 'latin1').includes('HostName'));
    await sleep(300);
    expect(alive(pid())).toBe(true);
  });

  it('ends with status 2 for a bad configuration, with 1 for a disk in use, and leaves nothing running', async () => {
    const { args, config, directory, pid } = place(HOST);
    expect(vhostmd(args).code).toBe(0);
    const second = path.join(directory, 'second.pid');
    const inUse = vhostmd([...TEST_URI, '-f', config, '-p', second]);
    expect(inUse.stderr).toContain('is already in use by another vhostmd');
    expect(inUse.code).toBe(1);
    writeFileSync(config, '<vhostmd/>');
    const bad = vhostmd([...TEST_URI, '-f', config, '-p', second]);
    expect(bad.stderr).toContain(`${config}:1:`);
    expect(bad.code).toBe(2);
    expect(existsSync(second)).toBe(false);
    expect(alive(pid())).toBe(true);
  });

  it('takes relative paths from where it was called', async () => {
    const { directory, pid } = place(HOST);
    const { code, stderr } = vhostmd(['-v', '-c', 'test:///default', '-f', 'vhostmd.conf', '-p', 'pid'], {
      cwd: directory,
    });
    expect(stderr).toContain('Ready: ');
    expect(code).toBe(0);
    process.kill(pid(), 'SIGHUP');
    await sleep(500);
    expect(alive(pid())).toBe(true);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('that is interrupted (%s) leaves no daemon behind', async (signal) => {
    // The first snapshot waits for the action, which leaves time for the signal.
    const { args, pid, pidFile } = place(action('Slow', 'sleep 20'), { period: 30 });
    const starting = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore' });
    const ended = once(starting, 'exit') as Promise<[number | null]>;
    await until('the pid file', () => pid() > 0);
    const daemon = pid();
    expect(alive(daemon)).toBe(true);
    starting.kill(signal);
    expect((await ended)[0]).toBe(1);
    await until('the end of the daemon', () => !alive(daemon));
    expect(existsSync(pidFile)).toBe(false);
  });

  it('goes on when the process that starts it is killed', async () => {
    const { args, pid, disk } = place(HOST + action('Slow', 'sleep 0.4; echo 1'));
    const starting = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore' });
    await until('the pid file', () => pid() > 0);
    starting.kill('SIGKILL');
    await until('the first snapshot', () => existsSync(disk) && readFileSync(disk, 'latin1').includes('Slow'));
    await sleep(200);
    expect(alive(pid())).toBe(true);
  });

  it('says so when the daemon is killed before its first snapshot', async () => {
    const { args, pid } = place(action('Slow', 'sleep 20'), { period: 30 });
    const starting = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    starting.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    await until('the pid file', () => pid() > 0);
    process.kill(pid(), 'SIGKILL');
    const [code] = (await once(starting, 'close')) as [number | null];
    expect(stderr).toContain('vhostmd: The daemon was killed by SIGKILL before its first snapshot');
    expect(code).toBe(1);
  });

  it('reloads on a signal during the start, and starts', async () => {
    const { args, pid, disk } = place(HOST + action('Slow', 'sleep 0.4; echo 1'));
    const starting = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore' });
    const ended = once(starting, 'exit') as Promise<[number | null]>;
    await until('the pid file', () => pid() > 0);
    process.kill(pid(), 'SIGHUP');
    expect((await ended)[0]).toBe(0);
    expect((await readMetrics(disk)).length).toBeGreaterThan(0);
    expect(alive(pid())).toBe(true);
  });

  it('sends its log to syslog as well', async () => {
    const { args, directory, pid } = place(HOST);
    const trace = path.join(directory, 'trace');
    const strace = ['-f', '-qq', '-s', '300', '-e', 'trace=sendto', '-o', trace];
    const traced = spawn('strace', [...strace, process.execPath, PROGRAM, ...args], { stdio: 'ignore' });
    const ended = once(traced, 'exit');
    const sent = (): readonly string[] =>
      (existsSync(trace) ? readFileSync(trace, 'utf8') : '').split('\n').filter((line) => line.includes('/dev/log'));
    await until('the line of the first snapshot', () =>
      sent().some((line) => /"<29>vhostmd\[\d+\]: daemon: Ready: the first snapshot is published"/.test(line)),
    );
    process.kill(pid(), 'SIGTERM');
    await until('the line of the end', () => sent().some((line) => line.includes('daemon: Stopping (SIGTERM)')));
    await ended;
  });
});
