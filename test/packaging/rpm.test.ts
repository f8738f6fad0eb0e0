import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { buildPackages, GUEST_FILES, HOST_FILES, run, scratch } from './packages.ts';

const { folder, remove } = scratch();
const built: Record<string, string> = {};
const nameOf = (file: string): string => path.basename(file).replace(/-\d.*/, '');
const query = (name: string, ...args: readonly string[]): readonly string[] =>
  run('rpm', ['-qp', ...args, built[name] ?? ''])
    .trim()
    .split('\n');

beforeAll(() => {
  for (const file of buildPackages(folder, ['--format', 'rpm'])) built[nameOf(file)] = file;
});
afterAll(remove);

const HOSTS = ['vhostmd', 'vhostmd-standalone'];

describe.each([
  ['vhostmd', HOST_FILES],
  ['vhostmd-standalone', [...HOST_FILES, ['-rwxr-xr-x', '/usr/lib/vhostmd/bin/node']]],
  ['vhostmd-guest', GUEST_FILES],
] as const)('the RPM %s', (name, files) => {
  const entries = () =>
    query(name, '--queryformat', '[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]');

  it('has its files', () => {
    const found = entries();
    for (const [mode, file] of files) expect(found).toContain(`${mode} root/root ${file}`);
    expect(found).toContain(`-rw-r--r-- root/root /usr/share/licenses/${name}/copyright`);
  });

  it('has nothing that others than root can change, and no set-user-ID program', () => {
    expect(entries().filter((entry) => !/^(?:d|-)rwxr-xr-x |^-rw-r--r-- |^lrwxrwxrwx /.test(entry))).toEqual([]);
  });

  it('owns the folders that only it has, and no others', () => {
    const folders = entries().flatMap((entry) => /^d\S+ \S+ (.*)/.exec(entry)?.[1] ?? []);
    for (const owned of folders) expect(owned).toMatch(/\/vhostmd|\/qemu\.d$/);
    expect(folders).toContain(`/usr/share/doc/${name}`);
  });

  it('sorts after every package of the C daemon', () => {
    expect(query(name, '--queryformat', '%{EPOCH}')).toEqual(['1']);
  });
});

describe('the RPMs', () => {
  it('need what they use, by names that every distribution has', () => {
    expect(query('vhostmd', '--requires')).toContain('nodejs(engine) >= 20.19');
    expect(query('vhostmd-standalone', '--requires').join('\n')).not.toContain('nodejs');
    for (const name of HOSTS) expect(query(name, '--requires')).toContain('libvirt.so.0()(64bit)');
    const guest = query('vhostmd-guest', '--requires').filter((line) => !line.startsWith('rpmlib('));
    expect(guest).toEqual(['/bin/sh']);
  });

  it('need nothing of rpm that RHEL 8 lacks', () => {
    for (const name of Object.keys(built))
      for (const line of query(name, '--requires').filter((need) => need.startsWith('rpmlib(')))
        expect(line).toMatch(/^rpmlib\((?:CompressedFileNames|FileDigests|PayloadFilesHavePrefix|PayloadIsXz)\)/);
  });

  it("take each other's place", () => {
    expect(query('vhostmd-standalone', '--conflicts')).toEqual(['vhostmd']);
    expect(query('vhostmd-standalone', '--provides')).toContain(query('vhostmd', '--provides')[0]);
    expect(query('vhostmd-guest', '--conflicts')).toEqual(['vm-dump-metrics']);
  });

  it.each(HOSTS)("%s keeps an administrator's configuration and hook", (name) => {
    const flags = query(name, '--queryformat', '[%{FILEFLAGS:fflags} %{FILENAMES}\n]').filter((line) =>
      line.startsWith('c'),
    );
    expect(flags).toEqual(['c /etc/libvirt/hooks/qemu.d/vhostmd', 'cn /etc/vhostmd/vhostmd.conf']);
  });

  it('keep a changed configuration at an update', () => {
    const root = path.join(folder, 'root');
    const rpm = (...args: readonly string[]) => run('rpm', ['--root', root, ...args]);
    const options = ['--nodeps', '--noscripts'];
    rpm('--install', ...options, built['vhostmd'] ?? '');
    const config = path.join(root, 'etc/vhostmd/vhostmd.conf');
    execFileSync('sh', ['-c', 'echo "<!-- mine -->" >>"$1"', 'sh', config]);
    rpm('--upgrade', '--replacepkgs', ...options, built['vhostmd'] ?? '');
    expect(readFileSync(config, 'utf8')).toContain('<!-- mine -->');
    expect(rpm('--query', '--all').trim().split('\n')).toEqual([expect.stringMatching(/^vhostmd-\d/)]);
    rpm('--erase', ...options, 'vhostmd');
    expect(readFileSync(`${config}.rpmsave`, 'utf8')).toContain('<!-- mine -->');
    expect(execFileSync('find', [root, '-name', '*vhostmd*', '-not', '-path', '*/var/*'], { encoding: 'utf8' })).toBe(
      `${root}/etc/vhostmd\n${root}/etc/vhostmd/vhostmd.conf.rpmsave\n`,
    );
  });

  it.each(HOSTS)('%s has the scripts of packaging/rpm, and no others', (name) => {
    const scripts = query(name, '--scripts').join('\n');
    const headers = [...scripts.matchAll(/^(\w+) scriptlet \(using (.*)\):$/gm)].map(([, when, shell]) => [
      when,
      shell,
    ]);
    expect(headers).toEqual([
      ['postinstall', '/bin/sh'],
      ['preuninstall', '/bin/sh'],
      ['postuninstall', '/bin/sh'],
    ]);
    for (const script of ['post', 'preun', 'postun']) {
      const text = readFileSync(path.join('packaging/rpm', script), 'utf8').replace(/^.*\n/, '').trim();
      expect(scripts).toContain(text);
    }
  });

  it('the one of a guest runs nothing when it is installed', () => {
    expect(query('vhostmd-guest', '--scripts')).toEqual(['']);
  });

  it('have the same bytes when they are built again, by anybody and at any time', () => {
    const again = buildPackages(path.join(folder, 'again'), ['--format', 'rpm', 'vhostmd', 'vhostmd-guest'], {
      TZ: 'Asia/Tokyo',
      HOME: folder,
    });
    for (const file of again) expect(readFileSync(file).equals(readFileSync(built[nameOf(file)] ?? ''))).toBe(true);
    expect(again).toHaveLength(2);
  });

  it('are built for the other architecture, too', () => {
    const [option, name] = process.arch === 'x64' ? ['arm64', 'aarch64'] : ['amd64', 'x86_64'];
    const [file = ''] = buildPackages(path.join(folder, option), ['--format', 'rpm', '--arch', option, 'vhostmd']);
    expect(run('rpm', ['-qp', '--queryformat', '%{ARCH}', file])).toBe(name);
  });
});
