import { spawnSync } from 'node:child_process';

import { describe, expect, it, vi } from 'vitest';

import { DEFAULT_CONFIG } from '../../src/cli/command.ts';
import { version } from '../../src/system/version.ts';
import { said } from '../support/command-line.ts';
import { PROGRAM } from '../support/daemon.ts';

// Records the options of each command instead of running it.
const { handler, calls } = vi.hoisted(() => {
  const calls: object[] = [];
  return { calls, handler: (kind: string) => ({ [kind]: (options: object) => calls.push({ kind, ...options }) }) };
});
vi.mock(import('../../src/cli/handlers/run.ts'), () => handler('run'));
vi.mock(import('../../src/cli/handlers/check.ts'), () => handler('check'));
vi.mock(import('../../src/cli/handlers/prepare.ts'), () => handler('prepare'));
vi.mock(import('../../src/cli/handlers/once.ts'), () => handler('once'));
vi.mock(import('../../src/cli/handlers/attach.ts'), () => handler('attach'));
vi.mock(import('../../src/cli/handlers/dump.ts'), () => handler('dump'));
vi.mock(import('../../src/cli/handlers/watch.ts'), () => handler('watch'));
vi.mock(import('../../src/cli/handlers/why.ts'), () => handler('why'));
vi.mock(import('../../src/cli/handlers/status.ts'), () => handler('status'));

const wordsOf = (line: string): readonly string[] => (line === '' ? [] : line.split(' '));
const parseWords = async (...words: readonly string[]): Promise<object | undefined> => {
  const { stdout, stderr } = await said(...words);
  expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' });
  expect(calls).toHaveLength(1);
  return calls.pop();
};
const parse = async (line: string) => await parseWords(...wordsOf(line));
const DAEMON = { kind: 'run', config: DEFAULT_CONFIG, verbose: false, foreground: false };

describe('the command line of the daemon', () => {
  it.each([
    ['', {}],
    ['-v', { verbose: true }],
    ['--verbose', { verbose: true }],
    ['-d', { foreground: true }],
    ['--no-daemonize', { foreground: true }],
    ['-c test:///default', { connect: 'test:///default' }],
    ['--connect qemu:///system', { connect: 'qemu:///system' }],
    ['-u nobody', { user: 'nobody' }],
    ['--user nobody', { user: 'nobody' }],
    ['-p /run/x.pid', { pidFile: '/run/x.pid' }],
    ['--pid-file /run/x.pid', { pidFile: '/run/x.pid' }],
    ['-f a.xml', { config: 'a.xml' }],
    ['--config a.xml', { config: 'a.xml' }],
    [
      '-v -d -c URI -u USER -p PID -f FILE',
      { verbose: true, foreground: true, connect: 'URI', user: 'USER', pidFile: 'PID', config: 'FILE' },
    ],
    ['--no-daemonize --connect=URI --config=FILE', { foreground: true, connect: 'URI', config: 'FILE' }],
  ])('takes the flags of the C daemon: %j', async (line, expected) => {
    expect(await parse(line)).toEqual({ ...DAEMON, ...expected });
  });

  it.each([
    ['-fFILE', { config: 'FILE' }],
    ['-fconf/vhostmd.xml', { config: 'conf/vhostmd.xml' }],
    ['-cqemu:///system -d', { connect: 'qemu:///system', foreground: true }],
    ['-dv', { verbose: true, foreground: true }],
    ['-dvfFILE', { verbose: true, foreground: true, config: 'FILE' }],
    ['-dvf FILE', { verbose: true, foreground: true, config: 'FILE' }],
    ['-vv -d -d', { verbose: true, foreground: true }],
    ['-f a=b', { config: 'a=b' }],
    ['-u 007 -p 1.0', { user: '007', pidFile: '1.0' }],
    ['-d --', { foreground: true }],
    // Arguments after -- are operands, which the C daemon ignores.
    ['-d -- -v check --verbose', { foreground: true }],
    ['-vd', { verbose: true, foreground: true }],
    ['-c=URI', { connect: '=URI' }],
    ['-cURI', { connect: 'URI' }],
  ])('takes flags as getopt does: %j', async (line, expected) => {
    expect(await parse(line)).toEqual({ ...DAEMON, ...expected });
  });

  it.each([
    ['--verb', { verbose: true }],
    ['--no', { foreground: true }],
    ['--no-daemon', { foreground: true }],
    ['--conn URI', { connect: 'URI' }],
    ['--conn=URI', { connect: 'URI' }],
    ['--conf FILE', { config: 'FILE' }],
    ['--pid=F --us nobody', { pidFile: 'F', user: 'nobody' }],
  ])('CASE D8: takes long options as short as they are clear: %j', async (line, expected) => {
    expect(await parse(line)).toEqual({ ...DAEMON, ...expected });
  });

  it.each([
    ['-c a -c b', { connect: 'b' }],
    ['-ca --connect=b --conn c', { connect: 'c' }],
    ['-f a --config b', { config: 'b' }],
    ['--config b -f a', { config: 'a' }],
    ['-pa -pb -u x -u y', { pidFile: 'b', user: 'y' }],
  ])('CASE D8: of a repeated option takes the last: %j', async (line, expected) => {
    expect(await parse(line)).toEqual({ ...DAEMON, ...expected });
  });

  it('takes an empty URI for the default of libvirt', async () => {
    expect(await parseWords('-d', '-c', '')).toEqual({ ...DAEMON, foreground: true });
  });
});

const ATTACH = {
  kind: 'attach',
  domain: 'web1',
  config: DEFAULT_CONFIG,
  devices: [],
  live: false,
  persistent: false,
  detach: false,
  optional: false,
};

const WHY = { kind: 'why', json: false, watch: false, seconds: 5 };

const WATCH = { kind: 'watch', config: DEFAULT_CONFIG, sort: 'cpu' };

describe('the commands', () => {
  it.each([
    ['check', { kind: 'check', config: DEFAULT_CONFIG, quiet: false, migrate: false }],
    ['check a.xml', { kind: 'check', config: 'a.xml', quiet: false, migrate: false }],
    ['-f a.xml check', { kind: 'check', config: 'a.xml', quiet: false, migrate: false }],
    ['check -fa.xml', { kind: 'check', config: 'a.xml', quiet: false, migrate: false }],
    ['check 5', { kind: 'check', config: '5', quiet: false, migrate: false }],
    ['check --quiet a.xml', { kind: 'check', config: 'a.xml', quiet: true, migrate: false }],
    ['check --migrate a.xml', { kind: 'check', config: 'a.xml', quiet: false, migrate: true }],
    ['once', { kind: 'once', config: DEFAULT_CONFIG }],
    ['once -c URI -f a.xml', { kind: 'once', config: 'a.xml', connect: 'URI' }],
    ['-cURI once', { kind: 'once', config: DEFAULT_CONFIG, connect: 'URI' }],
    ['attach web1', ATTACH],
    ['attach 007', { ...ATTACH, domain: '007' }],
    ['attach web1 --live', { ...ATTACH, live: true }],
    ['prepare -u vhostmd -f a.xml', { kind: 'prepare', config: 'a.xml', user: 'vhostmd' }],
    ['attach web1 --optional', { ...ATTACH, optional: true }],
    ['attach web1 --config', { ...ATTACH, persistent: true }],
    ['attach --config web1', { ...ATTACH, persistent: true }],
    ['attach --live --config --detach web1', { ...ATTACH, live: true, persistent: true, detach: true }],
    ['attach web1 -c URI -f a.xml --config', { ...ATTACH, connect: 'URI', config: 'a.xml', persistent: true }],
    ['attach web1 -fa.xml', { ...ATTACH, config: 'a.xml' }],
    ['-f a.xml attach web1', { ...ATTACH, config: 'a.xml' }],
    ['--config a.xml attach web1', { ...ATTACH, config: 'a.xml' }],
    ['--config=a.xml attach web1 --config', { ...ATTACH, config: 'a.xml', persistent: true }],
    ['attach web1 --device channel', { ...ATTACH, devices: ['channel'] }],
    ['attach --device=channel --device shared-disk web1', { ...ATTACH, devices: ['channel', 'shared-disk'] }],
    // Here `attach` is a file.
    ['-f attach check', { kind: 'check', config: 'attach', quiet: false, migrate: false }],
    ['--config attach check', { kind: 'check', config: 'attach', quiet: false, migrate: false }],
    ['dump /dev/vdb', { kind: 'dump', target: '/dev/vdb', json: false }],
    ['dump --json /dev/vdb', { kind: 'dump', target: '/dev/vdb', json: true }],
    ['dump /dev/vdb --json', { kind: 'dump', target: '/dev/vdb', json: true }],
    ['watch', WATCH],
    ['watch /dev/vdb', { ...WATCH, disk: '/dev/vdb' }],
    ['watch -f a.xml', { ...WATCH, config: 'a.xml' }],
    ['-fa.xml watch /dev/vdb', { ...WATCH, config: 'a.xml', disk: '/dev/vdb' }],
    ['watch --once', { ...WATCH, count: 1 }],
    ['watch --soc /s', { ...WATCH, socket: '/s' }],
    ['watch --socket /s --socket /t', { ...WATCH, socket: '/t' }],
    ['watch --count 1 --count 2', { ...WATCH, count: 2 }],
    ['watch -- --once', { ...WATCH, disk: '--once' }],
    ['check -- -a', { kind: 'check', config: '-a', quiet: false, migrate: false }],
    ['dump --js -- --json', { kind: 'dump', target: '--json', json: true }],
    ['attach --li -- -web1', { ...ATTACH, domain: '-web1', live: true }],
    ['attach web1 -f b -f c', { ...ATTACH, config: 'c' }],
    ['attach web1 --config=b.xml', { ...ATTACH, config: 'b.xml' }],
    ['attach web1 --config=b.xml --live --config', { ...ATTACH, config: 'b.xml', live: true, persistent: true }],
    ['attach web1 --dev channel --dev shared-disk', { ...ATTACH, devices: ['channel', 'shared-disk'] }],
    ['why web1', { ...WHY, domain: 'web1' }],
    ['why 7 -c URI', { ...WHY, domain: '7', connect: 'URI' }],
    ['why -- -web1', { ...WHY, domain: '-web1' }],
    ['why --all --json', { ...WHY, json: true }],
    ['why web1 --watch --seconds=3600', { ...WHY, domain: 'web1', watch: true, seconds: 3600 }],
    ['why web1 --seconds 60 --seconds 2', { ...WHY, domain: 'web1', seconds: 2 }],
    ['status --so=/s --js', { kind: 'status', json: true, socket: '/s' }],
    ['--json status', { kind: 'status', json: true }],
    ['watch --socket /s', { ...WATCH, socket: '/s' }],
    ['watch --count 10 /dev/vdb --sort=steal', { ...WATCH, count: 10, sort: 'steal', disk: '/dev/vdb' }],
  ])('are read with their arguments: %j', async (line, expected) => {
    expect(await parse(line)).toEqual(expected);
  });
});

describe('mistakes on the command line', () => {
  it.each([
    ['-x', 'Unknown option -x'],
    ['-dx', 'Unknown option -x'],
    ['-verbose', 'Unknown option -e; did you mean --verbose?'],
    ['--no-verbose', 'Unknown option --no-verbose'],
    ['--daemonize', 'Unknown option --daemonize; did you mean --no-daemonize?'],
    ['--verbsoe', 'Unknown option --verbsoe; did you mean --verbose?'],
    ['--period abc', 'Unknown option --period'],
    ['--con x', 'Option --con is ambiguous: it may be --connect, --config'],
    ['--ver', 'Option --ver is ambiguous: it may be --verbose, --version'],
    ['watch --so x', 'Option --so is ambiguous: it may be --socket, --sort'],
    ['watch --onse', 'Unknown option --onse; did you mean --once?'],
    ['start', 'Unknown command "start"'],
    ['chekc', 'Unknown command "chekc"; did you mean "check"?'],
    ['-d stauts', 'Unknown command "stauts"; did you mean "status"?'],
    ['-d false', 'Unknown command "false"'],
    ['check a b', 'Unexpected argument "b"; usage: vhostmd check [file]'],
    ['dump a b', 'Unexpected argument "b"; usage: vhostmd dump <source>'],
    ['status -- x', 'Unexpected argument "x"; usage: vhostmd status'],
    ['once --json', 'Option --json is for "dump", "why" and "status", not for "once"'],
    ['why', 'An argument is missing; usage: vhostmd why DOMAIN, or --all'],
    ['why web1 --all', 'A domain and --all exclude each other'],
    ['why web1 web2', 'Unexpected argument "web2"; usage: vhostmd why [domain]'],
    ['why a --seconds=1', 'Option --seconds must be a whole number from 2 to 3600, found "1"'],
    ['why a --seconds=3601', 'Option --seconds must be a whole number from 2 to 3600, found "3601"'],
    ['why a --seconds=5s', 'Option --seconds must be a whole number from 2 to 3600, found "5s"'],
    ['why a --seconds=-5', 'Option --seconds must be a whole number from 2 to 3600, found "-5"'],
    ['why a --seconds=1e3', 'Option --seconds must be a whole number from 2 to 3600, found "1e3"'],
    ['why a --seconds=99999', 'Option --seconds must be a whole number from 2 to 3600, found "99999"'],
    ['--json', 'Option --json is for "dump", "why" and "status", not for the daemon'],
    ['-c', 'Option -c needs a value'],
    ['--connect', 'Option --connect needs a value'],
    ['--conn', 'Option --connect needs a value'],
    ['-p -d', 'Option -p needs a value'],
    ['-dvf', 'Option -f needs a value'],
    ['--config= -d', 'Option --config needs a value'],
    ['--verbose=abc', 'Option --verbose takes no value'],
    ['--no-daemonize=false', 'Option --no-daemonize takes no value'],
    ['dump', 'An argument is missing; usage: vhostmd dump <source>'],
    ['-d once', 'Option --no-daemonize is for the daemon, not for "once"'],
    ['check -v', 'Option --verbose is for the daemon, not for "check"'],
    ['attach', 'An argument is missing; usage: vhostmd attach <domain>'],
    ['attach a b', 'Unexpected argument "b"; usage: vhostmd attach <domain>'],
    ['attach a -v', 'Option --verbose is for the daemon, not for "attach"'],
    ['attach a --device floppy', 'Option --device must be one of shared-disk, private-disk, channel, found "floppy"'],
    [
      'attach a --device chanel',
      'Option --device must be one of shared-disk, private-disk, channel, found "chanel"; did you mean "channel"?',
    ],
    ['attach a --device', 'Option --device needs a value'],
    ['attach a --live=no', 'Option --live takes no value'],
    [
      'attach a --config b.xml',
      'Unexpected argument "b.xml"; usage: vhostmd attach <domain> (of attach, --config is a flag; --config=FILE and -f FILE name',
    ],
    ['watch a b', 'Unexpected argument "b"; usage: vhostmd watch [disk]'],
    ['watch -d', 'Option --no-daemonize is for the daemon, not for "watch"'],
    ['watch --count 0', 'Option --count must be a number from 1 to 999999999, found "0"'],
    ['watch --count 1e3', 'Option --count must be a number from 1 to 999999999, found "1e3"'],
    ['watch --count', 'Option --count needs a value'],
    ['watch /d --socket /s', 'A disk and --socket exclude each other'],
    ['watch --count 2 --once', 'Options --once and --count exclude each other'],
    ['watch --sort cpus', 'Option --sort must be one of cpu, memory, steal, id, found "cpus"; did you mean "cpu"?'],
    ['check --live', 'Option --live is for "attach", not for "check"'],
    ['dump -u nobody x', 'Option --user is for the daemon, not for "dump"'],
  ])('CASE E1: are said in one clear line: %j', async (line, message) => {
    const { code, stdout, stderr } = await said(...wordsOf(line));
    expect({ code, stdout, calls }).toEqual({ code: 2, stdout: '', calls: [] });
    expect(stderr.split('\n')).toEqual([expect.stringContaining(`vhostmd: ${message}`), "Try 'vhostmd --help'."]);
  });
});

describe('help and version', () => {
  it.each(['-h', '--help', '-v -h', '-d --help'])('are printed whatever else is asked: %j', async (line) => {
    const help = await said(...wordsOf(line));
    expect({ ...help, calls }).toMatchObject({ code: 0, stderr: '', calls: [] });
    // The bundle counts characters for columns (scripts/bundle.mjs).
    expect(help.stdout).toMatch(/^[\n -~]*$/);
    for (const flag of [
      '-v, --verbose',
      '-d, --no-daemonize',
      '-c, --connect',
      '-u, --user',
      '-p, --pid-file',
      '-f, --config',
      '-h, --help',
      'check [file]',
      'once',
      'attach <domain>',
      'dump <source>',
      'watch [disk]',
    ])
      expect(help.stdout).toContain(flag);
  });

  it('of a command leaves out the options of the daemon', async () => {
    const help = await said('dump', '--help');
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('--json');
    expect(help.stdout).not.toContain('--user');
  });

  it('of attach names the file by -f only, and --config as the flag', async () => {
    const { stdout: text, ...help } = await said('attach', '--help');
    expect(help).toEqual({ code: 0, stderr: '' });
    expect(text).toMatch(/^ +-f +Configuration file/m);
    expect(text).toMatch(/^ +--config +Change the persistent definition/m);
    for (const option of ['--live', '--detach', '--device', 'private-disk', '-c, --connect'])
      expect(text).toContain(option);
    expect(text).not.toContain('--user');
  });

  it('prints the version of the package', async () => {
    expect(version()).toMatch(/^\d+\.\d+\.\d+/);
    expect(await said('--version')).toEqual({ code: 0, stdout: version(), stderr: '' });
  });
});

describe('CASE E1: completion', () => {
  const complete = async (...words: readonly string[]): Promise<readonly string[]> => {
    const { stdout, ...rest } = await said('--get-yargs-completions', 'vhostmd', ...words);
    expect({ ...rest, calls }).toEqual({ code: 0, stderr: '', calls: [] });
    return stdout.split('\n');
  };

  it('CASE E1: completes commands, options, and values that are one of a few', async () => {
    expect(await complete('')).toEqual([
      'check',
      'prepare',
      'once',
      'attach',
      'dump',
      'watch',
      'why',
      'status',
      'completion',
    ]);
    expect(await complete('--')).toEqual(expect.arrayContaining(['--connect', '--config', '-f', '--no-daemonize']));
    expect(await complete('attach', '--')).toEqual(expect.arrayContaining(['--live', '--config', '--device']));
    expect(await complete('attach', '--device', '')).toEqual(['shared-disk', 'private-disk', 'channel']);
    expect(await complete('watch', '--sort', 's')).toEqual(['steal']);
    expect(await complete('completion', 'f')).toEqual(['fish']);
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(await complete('completion', '--')).toContain('--connect');
    expect(await complete('check', '')).toContain('--quiet');
    expect(await complete('watch', '--sort', 'x', '--')).toContain('--count');
  });

  it('CASE E1: is put into a shell by the command that prints its script', async () => {
    vi.stubEnv('SHELL', '/bin/bash');
    const { stdout: script, ...rest } = await said('completion');
    vi.unstubAllEnvs();
    expect(rest).toEqual({ code: 0, stderr: '' });
    // As the shell does for `vhostmd wat<TAB>`.
    const { stdout, stderr } = spawnSync(
      'bash',
      [
        '-c',
        `vhostmd() { '${process.execPath}' '${PROGRAM}' "$@"; }\n${script}\nCOMP_WORDS=(vhostmd wat) COMP_CWORD=1\n` +
          `$(complete -p vhostmd | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8' },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'watch\n', stderr: '' });
  });
});
