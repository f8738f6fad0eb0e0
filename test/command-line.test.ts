import { describe, expect, it } from 'vitest';

import { DEFAULT_CONFIG } from '../src/command-line-options.ts';
import { parseCommandLine, version } from '../src/command-line.ts';

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

const ATTACH = {
  kind: 'attach',
  domain: 'web1',
  config: DEFAULT_CONFIG,
  devices: [],
  live: false,
  persistent: false,
  detach: false,
};

const WATCH = { kind: 'watch', config: DEFAULT_CONFIG, sort: 'cpu' };

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
    ['attach web1', ATTACH],
    ['attach 007', { ...ATTACH, domain: '007' }],
    ['attach web1 --live', { ...ATTACH, live: true }],
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
    // Here it is a file.
    ['-f attach check', { kind: 'check', config: 'attach' }],
    ['--config attach check', { kind: 'check', config: 'attach' }],
    ['dump /dev/vdb', { kind: 'dump', target: '/dev/vdb', json: false }],
    ['dump --json /dev/vdb', { kind: 'dump', target: '/dev/vdb', json: true }],
    ['dump /dev/vdb --json', { kind: 'dump', target: '/dev/vdb', json: true }],
    ['watch', WATCH],
    ['watch /dev/vdb', { ...WATCH, disk: '/dev/vdb' }],
    ['watch -f a.xml', { ...WATCH, config: 'a.xml' }],
    ['-fa.xml watch /dev/vdb', { ...WATCH, config: 'a.xml', disk: '/dev/vdb' }],
    ['watch --once', { ...WATCH, count: 1 }],
    ['watch --socket /s', { ...WATCH, socket: '/s' }],
    ['watch --count 10 /dev/vdb --sort=steal', { ...WATCH, count: 10, sort: 'steal', disk: '/dev/vdb' }],
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
    ['attach', 'An argument is missing'],
    ['attach a b', 'Unknown option or command: b'],
    ['attach a -v', 'Option --verbose is for the daemon, not for "attach"'],
    ['attach a --device floppy', 'Option --device must be one of shared-disk, private-disk, channel, found "floppy"'],
    [
      'attach a --device chanel',
      'Option --device must be one of shared-disk, private-disk, channel, found "chanel"; did you mean "channel"?',
    ],
    ['attach a --device', 'Option device needs a value'],
    ['attach a --live=no', 'Option live takes no value'],
    ['attach a -f b -f c', 'Option -f is given twice'],
    [
      'attach a --config b.xml',
      'Unknown option or command: b.xml (of attach, --config is a flag; -f FILE names the configuration file)',
    ],
    ['attach a --config=b.xml', 'Option config takes no value (of attach, --config is a flag; -f FILE names'],
    ['watch a b', 'Unknown option or command: b'],
    ['watch -d', 'Option --no-daemonize is for the daemon, not for "watch"'],
    ['watch --count 0', 'Option --count must be a number from 1 to 999999999, found "0"'],
    ['watch --count 1e3', 'Option --count must be a number from 1 to 999999999, found "1e3"'],
    ['watch --count', 'Option count needs a value'],
    ['watch /d --socket /s', 'A disk and --socket exclude each other'],
    ['watch --socket /s --socket /t', 'Option --socket is given twice'],
    ['watch --count 1 --count 2', 'Option --count is given twice'],
    ['watch --count 2 --once', 'Options --once and --count exclude each other'],
    ['watch --sort cpus', 'Option --sort must be one of cpu, memory, steal, id, found "cpus"; did you mean "cpu"?'],
    ['check --live', 'Unknown option or command: live'],
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
      'attach <domain>',
      'dump <source>',
      'watch [disk]',
    ])
      expect('text' in help ? help.text : '').toContain(flag);
  });

  it('of a command leaves out what is for the daemon only', async () => {
    const help = await parse('dump --help');
    expect(help).toMatchObject({ kind: 'text', error: false });
    expect('text' in help ? help.text : '').toContain('--json');
    expect('text' in help ? help.text : '').not.toContain('--user');
  });

  it('of attach names the file by -f only, and --config as the flag', async () => {
    const help = await parse('attach --help');
    expect(help).toMatchObject({ kind: 'text', error: false });
    const text = 'text' in help ? help.text : '';
    expect(text).toMatch(/^ +-f +Configuration file/m);
    expect(text).toMatch(/^ +--config +Change the persistent definition/m);
    for (const option of ['--live', '--detach', '--device', 'private-disk', '-c, --connect'])
      expect(text).toContain(option);
    expect(text).not.toContain('--user');
  });

  it('prints the version of the package', async () => {
    expect(version()).toMatch(/^\d+\.\d+\.\d+/);
    expect(await parse('--version')).toEqual({ kind: 'text', text: version(), error: false });
  });
});
