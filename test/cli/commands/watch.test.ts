import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, describe, expect, it } from 'vitest';

import { metricsXml } from '../../../src/model/metrics-xml.ts';
import type { Sample, ValueType } from '../../../src/model/metric.ts';
import { openResilientDisk } from '../../../src/sinks/metrics-disk/resilient-disk.ts';
import { ofDomain, snapshot } from '../../../src/testing/index.ts';
import { PROGRAM, scratch, startDaemon, until } from '../../support/daemon.ts';
import { TEST_URI, VCPUS, vhostmd } from './program.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-watch-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const clean: (() => void)[] = [];
afterEach(() => clean.splice(0).forEach((undo) => undo()));

const value = (name: string, type: ValueType, number: number | string): Sample => ({
  name,
  type,
  value: String(number),
});

let disks = 0;
const diskPath = (): string => path.join(directory, `disk-${(disks += 1)}`);

// Updates a disk every quarter of a second, as the daemon does: VM n uses n CPUs.
const live = (file = diskPath(), vms = 3): { readonly file: string; readonly stop: () => void } => {
  const target = openResilientDisk({ path: file, size: 1 << 20 });
  const start = performance.now();
  const write = (): void => {
    const seconds = (performance.now() - start) / 1000;
    const guests = Array.from({ length: vms }, (_, n) =>
      ofDomain(
        n + 1,
        value('TotalCPUTime', 'real64', (100 + seconds * (n + 1)).toFixed(6)),
        value('ResourceProcessorLimit', 'uint32', 4),
      ),
    );
    const host = [value('HostName', 'string', 'node1'), value('TotalCPUTime', 'real64', seconds.toFixed(6))];
    target.write(metricsXml(snapshot(0, host, guests)));
  };
  write();
  const timer = setInterval(write, 250);
  let stopped = false;
  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    clearInterval(timer);
    target.close();
  };
  clean.push(stop);
  return { file, stop };
};

const program = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...process.env, ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
  const [code] = await once(child, 'close');
  return { code: code as number | null, stdout, stderr };
};

describe('vhostmd watch in a pipe', () => {
  it('prints one table with --once, after two documents', async () => {
    const { code, stdout, stderr } = await program(['watch', live().file, '--once']);
    const lines = stdout.split('\n');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(lines).toHaveLength(6);
    expect(lines[0]).toMatch(/^node1 {2}CPU \d+\.\d%$/);
    expect(lines[1]).toMatch(/^ ID UUID +CPU% CPUS$/);
    // The busiest VM is first.
    expect(lines[2]).toMatch(/^ {2}3 6be3fdb8-bef5-6fec-b1b7-000000000003 +\d+\.\d +4$/);
    expect(lines[4]).toMatch(/^ {2}1 6be3fdb8-bef5-6fec-b1b7-000000000001 +\d+\.\d +4$/);
  });

  it('prints --count tables, sorted by --sort', async () => {
    const { code, stdout } = await program(['watch', live().file, '--count', '3', '--sort', 'id']);
    expect(code).toBe(0);
    expect(stdout.match(/^node1 /gm)).toHaveLength(3);
    expect(
      stdout
        .match(/^ +\d/gm)
        ?.map((id) => id.trim())
        .join(''),
    ).toBe('123123123');
    expect(stdout).not.toContain('\u001b');
  });

  it('takes the disk of the configuration', async () => {
    const config = path.join(directory, 'vhostmd.conf');
    const { file } = live();
    writeFileSync(
      config,
      `<vhostmd><globals><disk><name>d</name><path>${file}</path><size unit="k">256</size></disk><update_period>1</update_period>` +
        '<path>/bin</path><transport>vbd</transport></globals><metrics><metric type="string" context="host"><name>HostName</name>' +
        '<stat>host.hostname</stat></metric></metrics></vhostmd>',
    );
    expect((await program(['watch', '-f', config, '--once'])).stdout).toContain('node1');
  });

  it.each([
    ['that is missing', () => path.join(directory, 'none'), 'cannot be read: ENOENT'],
    ['that is a directory', () => directory, 'is not a metrics disk'],
    [
      'that is something else',
      () => {
        const file = diskPath();
        writeFileSync(file, 'x'.repeat(70_000));
        return file;
      },
      'is not a metrics disk',
    ],
  ])('fails with one line for a disk %s', (_what, disk, message) => {
    const { code, stdout, stderr } = vhostmd(['watch', disk()]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^vhostmd: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  it('fails with the place of a mistake in the configuration', () => {
    const config = path.join(directory, 'bad.conf');
    writeFileSync(config, '<vhostmd>');
    expect(vhostmd(['watch', '-f', config])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(`${config}:1:`) as string,
    });
  });

  it('prints the values of a disk that is no longer written, without rates', async () => {
    const { file, stop } = live();
    stop();
    const before = Date.now() / 1000 - 60;
    utimesSync(file, before, before);
    const { code, stdout, stderr } = await program(['watch', file, '--once']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}1 6be3fdb8-bef5-6fec-b1b7-000000000001 +- +4$/m);
    expect(stderr).toMatch(/^vhostmd: No new metrics for 6\d s: does vhostmd run\? /);
  });

  it('ends quietly when its reader goes away', () => {
    const { file } = live();
    // The disk is written in this process, so the test must not block it.
    const child = spawn('/bin/sh', ['-c', '"$@" | head -n 1', 'sh', process.execPath, PROGRAM, 'watch', file]);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
    return once(child, 'close').then(() => expect(output).toMatch(/^node1 {2}CPU [^\n]*\n$/));
  });
});

describe('vhostmd watch of the running daemon', () => {
  const running = async () => {
    const { directory: folder, config } = scratch(TIME + VCPUS, { period: 1 });
    clean.push(() => rmSync(folder, { recursive: true, force: true }));
    const env = { RUNTIME_DIRECTORY: folder, XDG_RUNTIME_DIR: '' };
    const daemon = await startDaemon([...TEST_URI, '-f', config], { env });
    clean.push(() => daemon.child.kill('SIGKILL'));
    return { env, config, socket: path.join(folder, 'status.sock'), daemon };
  };
  const TIME = '<metric type="uint64" context="host"><name>Time</name><stat>host.time</stat></metric>';
  const NAMED = /^ ID NAME +CPU% CPUS\n {2}1 test +- +2$/m;

  it('shows the names of domains, by its socket, with no other configuration, or by the one where it is looked for', async () => {
    const { env, socket } = await running();
    const named = await program(['watch', '--once', '--socket', socket]);
    expect(named).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(NAMED) as string });
    expect((await program(['watch', '--once'], env)).stdout).toMatch(NAMED);
  });

  it('reads the disk where another configuration is asked for, and the daemon where that has none', async () => {
    const { env, config } = await running();
    expect((await program(['watch', '--once', '-f', config], env)).stdout).toMatch(/^ ID UUID/m);
    const text = readFileSync(config, 'utf8');
    const none = path.join(path.dirname(config), 'none.conf');
    const vmDisk = `<vm_disk><path>${path.dirname(config)}/UUID.disk</path><size unit="k">64</size></vm_disk>`;
    writeFileSync(none, text.replace(/<disk>.*<\/disk>/s, '').replace('</globals>', `${vmDisk}</globals>`));
    const { stdout, stderr } = await program(['watch', '--once', '-f', none], env);
    expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(NAMED) as string, stderr: '' });
  });

  it('says where no daemon runs', () => {
    const { code, stdout, stderr } = vhostmd(['watch', '--once', '--socket', '/nowhere']);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: 'vhostmd: /nowhere: there is no such socket\n',
    });
  });
});

const LEAVE = '\u001b[?25h\u001b[?1049l';
const ENTER = '\u001b[?1049h\u001b[?25l';

// Runs the program in its own terminal (script(1)), which prints its settings afterwards.
const terminal = (args: readonly string[], { locale = 'C.UTF-8', columns = 80, rows = 12 } = {}) => {
  const pidFile = path.join(directory, `pid-${(disks += 1)}`);
  const quoted = [process.execPath, PROGRAM, 'watch', ...args].map((arg) => `'${arg}'`).join(' ');
  const shell =
    `stty cols ${columns} rows ${rows}; tty >${pidFile}.tty; ` +
    `sh -c 'echo $$ >${pidFile}; exec "$@"' sh ${quoted}; echo "code=$?"; stty -a`;
  const child = spawn('script', ['-qec', shell, '/dev/null'], {
    env: { ...process.env, LC_ALL: locale, TERM: 'xterm', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const ended = once(child, 'close');
  clean.push(() => child.kill('SIGKILL'));
  const pid = (): number => Number(readFileSync(pidFile, 'utf8'));
  return {
    output: () => output,
    forget: () => (output = ''),
    shows: async (text: string | RegExp) =>
      await until(`${String(text)} in ${JSON.stringify(output.slice(-3000))}`, () =>
        typeof text === 'string' ? output.includes(text) : text.test(output),
      ),
    press: (keys: string) => child.stdin.write(keys),
    signal: (signal: NodeJS.Signals) => process.kill(pid(), signal),
    signalGroup: (signal: NodeJS.Signals) =>
      process.kill(-Number(/\) \w \d+ (\d+)/.exec(readFileSync(`/proc/${pid()}/stat`, 'utf8'))?.[1]), signal),
    hangUp: () => child.kill('SIGKILL'),
    running: () => existsSync(`/proc/${pid()}`),
    state: () => /\) (\w)/.exec(readFileSync(`/proc/${pid()}/stat`, 'utf8'))?.[1],
    resize: (size: string) =>
      spawnSync('stty', ['-F', readFileSync(`${pidFile}.tty`, 'utf8').trim(), ...size.split(' ')]),
    // Returns the exit status and the text on the terminal after the program has left its screen.
    end: async () => {
      await ended;
      const at = output.lastIndexOf(LEAVE);
      return { code: /code=(\d+)/.exec(output)?.[1], after: at < 0 ? undefined : output.slice(at + LEAVE.length) };
    },
  };
};

describe('vhostmd watch in a terminal', () => {
  it('draws the table, takes keys, and gives the terminal back with q', async () => {
    const { shows, press, end, output, forget } = terminal([live().file]);
    await shows(/3 6be3fdb8\S* +\d+\.\d +[▁▂▃▄▅▆▇█]{2,}/);
    expect(output()).toContain(ENTER);
    await shows('3 VMs  by cpu  q quit');
    press('n');
    await shows('3 VMs  by id');
    press('r');
    await shows('by id reversed');
    // An arrow key.
    press('\u001b[C');
    await shows('3 VMs  by cpu');
    forget();
    press('q');
    const { code, after } = await end();
    expect(code).toBe('0');
    expect(after).toMatch(/[^-]icanon/);
    expect(after).toMatch(/[^-]echo /);
    expect(after).not.toContain('6be3fdb8');
  });

  it.each([
    ['SIGTERM', '143'],
    ['SIGINT', '130'],
    ['SIGHUP', '129'],
  ] as const)('gives the terminal back at %s', async (signal, status) => {
    const { shows, signal: send, end } = terminal([live().file]);
    await shows('3 VMs');
    send(signal);
    const { code, after } = await end();
    expect(code).toBe(status);
    expect(after).toMatch(/[^-]icanon/);
  });

  it('gives the terminal back at Ctrl-C', async () => {
    const { shows, press, end } = terminal([live().file]);
    await shows('3 VMs');
    press('\u0003');
    const { code, after } = await end();
    expect(code).toBe('130');
    expect(after).toMatch(/[^-]icanon/);
  });

  it.each(['SIGTSTP', 'Ctrl-Z'])(
    'gives the terminal back while it is stopped by %s, and draws it anew when it goes on',
    async (how) => {
      const { shows, signal, signalGroup, state, forget, end, press } = terminal([live().file]);
      await shows('3 VMs');
      if (how === 'Ctrl-Z') press('\u001a');
      else signal('SIGTSTP');
      await until('it is stopped', () => state() === 'T');
      await shows(LEAVE);
      forget();
      signalGroup('SIGCONT');
      await shows(ENTER);
      await shows('3 VMs');
      press('q');
      expect((await end()).code).toBe('0');
    },
  );

  it('is drawn anew when its size changes', async () => {
    const { shows, resize, forget, end, press } = terminal([live(diskPath(), 40).file]);
    await shows('1-8 of 40 VMs');
    forget();
    resize('cols 40 rows 24');
    await shows('1-20 of 40 VMs');
    press('q');
    expect((await end()).code).toBe('0');
  });

  it('draws with ASCII where the locale is not UTF-8', async () => {
    const { shows, output, end, press } = terminal([live().file], { locale: 'C' });
    await shows(/3 6be3fdb8\S* +\d+\.\d +[_.:=+*#-]{2,}/);
    press('q');
    await end();
    // oxlint-disable-next-line no-control-regex
    expect(output()).toMatch(/^[\u0000-\u007e]*$/);
  });

  it('waits for a disk that is missing, says that it is silent, and goes on', async () => {
    const file = diskPath();
    const { shows, forget, end, press } = terminal([file]);
    await shows(`Waiting: ${file} cannot be read`);
    const { stop } = live(file);
    await shows(/disk-\d+, every /);
    stop();
    await shows('No new metrics for ');
    forget();
    const again = live(file);
    await shows(/disk-\d+, every /);
    again.stop();
    unlinkSync(file);
    await shows(`Waiting: ${file} cannot be read`);
    press('q');
    expect((await end()).code).toBe('0');
    expect(existsSync(file)).toBe(false);
  });

  it('ends when the terminal goes away', async () => {
    const { shows, hangUp, running } = terminal([live().file]);
    await shows('3 VMs');
    hangUp();
    await until('it has ended', () => !running());
  });

  it('prints text with --once there, too', async () => {
    const { end, output } = terminal([live().file, '--once']);
    await end();
    expect(output()).toContain('node1');
    expect(output()).not.toContain('\u001b');
  });
});
