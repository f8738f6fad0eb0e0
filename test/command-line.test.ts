import { describe, expect, it } from 'vitest';

import { DEFAULT_CONFIG, parseCommandLine, version } from '../src/command-line.ts';

const parse = async (line: string) => await parseCommandLine(line === '' ? [] : line.split(' '));
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
  ])('takes flags as getopt does: %j', async (line, expected) => {
    expect(await parse(line)).toEqual({ ...DAEMON, ...expected });
  });

  it('takes an empty URI for the default of libvirt', async () => {
    expect(await parseCommandLine(['-d', '-c', ''])).toEqual({ ...DAEMON, foreground: true });
  });
});

describe('the commands', () => {
  it.each([
    ['check', { kind: 'check', config: DEFAULT_CONFIG }],
    ['check a.xml', { kind: 'check', config: 'a.xml' }],
    ['-f a.xml check', { kind: 'check', config: 'a.xml' }],
    ['check -fa.xml', { kind: 'check', config: 'a.xml' }],
    ['check 5', { kind: 'check', config: '5' }],
    ['once', { kind: 'once', config: DEFAULT_CONFIG }],
    ['once -c URI -f a.xml', { kind: 'once', config: 'a.xml', connect: 'URI' }],
    ['-cURI once', { kind: 'once', config: DEFAULT_CONFIG, connect: 'URI' }],
    ['dump /dev/vdb', { kind: 'dump', target: '/dev/vdb', json: false }],
    ['dump --json /dev/vdb', { kind: 'dump', target: '/dev/vdb', json: true }],
    ['dump /dev/vdb --json', { kind: 'dump', target: '/dev/vdb', json: true }],
  ])('are read with their arguments: %j', async (line, expected) => {
    expect(await parse(line)).toEqual(expected);
  });
});

describe('mistakes on the command line', () => {
  it.each([
    ['-x', 'Unknown option or command: x'],
    ['-dx', 'Unknown option or command: x'],
    ['--verb', 'Unknown option or command: verb'],
    ['--no-verbose', 'Unknown option or command: no-verbose'],
    ['--daemonize', 'Unknown option or command: daemonize'],
    ['--period abc', 'Unknown option or command: period'],
    ['start', 'Unknown option or command: start'],
    ['-d false', 'Unknown option or command: false'],
    ['check a b', 'Unknown option or command: b'],
    ['dump a b', 'Unknown option or command: b'],
    ['once --json', 'Unknown option or command: json'],
    ['check -- -a', 'Unknown option or command: a'],
    ['-c', 'Option c needs a value'],
    ['--connect', 'Option connect needs a value'],
    ['-p -d', 'Option p needs a value'],
    ['-dvf', 'Option f needs a value'],
    ['--config= -d', 'Option --config needs a value'],
    ['--verbose=abc', 'Option verbose takes no value'],
    ['--no-daemonize=false', 'Option no-daemonize takes no value'],
    ['dump', 'An argument is missing'],
    ['-c a -c b', 'Option --connect is given twice'],
    ['-f a --config b', 'Option --config is given twice'],
    ['-pa -pb', 'Option --pid-file is given twice'],
    ['-d once', 'Option --no-daemonize is for the daemon, not for "once"'],
    ['check -v', 'Option --verbose is for the daemon, not for "check"'],
    ['dump -u nobody x', 'Option --user is for the daemon, not for "dump"'],
  ])('are said in one clear line: %j', async (line, message) => {
    const { kind, ...rest } = await parse(line);
    expect({ kind, ...rest }).toMatchObject({ kind: 'text', error: true });
    expect('text' in rest ? rest.text.split('\n') : []).toEqual([
      expect.stringContaining(`vhostmd: ${message}`),
      "Try 'vhostmd --help'.",
    ]);
  });
});

describe('help and version', () => {
  it.each(['-h', '--help', '-v -h', '-d --help'])('are printed whatever else is asked: %j', async (line) => {
    const help = await parse(line);
    expect(help).toMatchObject({ kind: 'text', error: false });
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
      'dump <disk>',
    ])
      expect('text' in help ? help.text : '').toContain(flag);
  });

  it('of a command leaves out what is for the daemon only', async () => {
    const help = await parse('dump --help');
    expect(help).toMatchObject({ kind: 'text', error: false });
    expect('text' in help ? help.text : '').toContain('--json');
    expect('text' in help ? help.text : '').not.toContain('--user');
  });

  it('prints the version of the package', async () => {
    expect(version()).toMatch(/^\d+\.\d+\.\d+/);
    expect(await parse('--version')).toEqual({ kind: 'text', text: version(), error: false });
  });
});
