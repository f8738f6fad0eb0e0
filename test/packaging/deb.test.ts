import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { buildPackages, GUEST_FILES, HOST_FILES, ROOT, run, scratch } from './packages.ts';

const { folder, remove } = scratch();
const built: Record<string, string> = {};
const unpacked = (name: string): string => path.join(folder, 'root', name);
const field = (name: string, of: string): string => run('dpkg-deb', ['--field', built[name] ?? '', of]).trim();

beforeAll(() => {
  mkdirSync(unpacked('.'), { recursive: true });
  for (const file of buildPackages(folder, ['--format', 'deb'])) {
    const name = path.basename(file).split('_')[0] ?? '';
    built[name] = file;
    run('dpkg-deb', ['--raw-extract', file, unpacked(name)]);
  }
});
afterAll(remove);

/** Every entry of the package as "MODE OWNER PATH". */
const entries = (name: string): readonly string[] =>
  run('dpkg-deb', ['--contents', built[name] ?? ''])
    .trim()
    .split('\n')
    .map((line) => line.replace(/^(\S+) (\S+) +\d+ \S+ \S+ \.(\S+).*$/, '$1 $2 $3'));

describe.each([
  ['vhostmd', HOST_FILES],
  ['vhostmd-standalone', [...HOST_FILES, ['-rwxr-xr-x', '/usr/lib/vhostmd/bin/node']]],
  ['vhostmd-guest', GUEST_FILES],
] as const)('the Debian package %s', (name, files) => {
  it('has its files', () => {
    const found = entries(name);
    for (const [mode, file] of files) expect(found).toContain(`${mode} root/root ${file}`);
    expect(found).toContain(`-rw-r--r-- root/root /usr/share/doc/${name}/copyright`);
  });

  it('has nothing that others than root can change, and no set-user-ID program', () => {
    const loose = entries(name).filter((entry) => !/^(?:d|-)rwxr-xr-x|^-rw-r--r--|^lrwxrwxrwx/.test(entry));
    expect(loose).toEqual([]);
  });

  it('has the sums of its files', () => {
    expect(run('sh', ['-c', 'cd "$1" && md5sum --quiet --check DEBIAN/md5sums', 'sh', unpacked(name)])).toBe('');
    const summed = readFileSync(path.join(unpacked(name), 'DEBIAN/md5sums'), 'utf8');
    for (const [mode, file] of files)
      if (mode.startsWith('-') && !file.startsWith('/etc/')) expect(summed).toContain(`  ${file.slice(1)}\n`);
  });

  it('has the version of package.json', () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(field(name, 'Version')).toBe(`1:${version.replace('-', '~')}-1`);
    if (name !== 'vhostmd-guest')
      expect(run('node', [path.join(unpacked(name), 'usr/lib/vhostmd/dist/vhostmd.cjs'), '--version'])).toContain(
        version,
      );
  });
});

describe('the Debian packages', () => {
  it('need what they use', () => {
    expect(field('vhostmd', 'Depends')).toMatch(/^nodejs \(>= 20\.19\), .*\blibvirt0\b/);
    expect(field('vhostmd-standalone', 'Depends')).toMatch(/\blibvirt0\b/);
    expect(field('vhostmd-standalone', 'Depends')).not.toContain('nodejs');
    expect(field('vhostmd-guest', 'Depends')).toBe('');
  });

  it("take each other's place", () => {
    const version = field('vhostmd', 'Version');
    expect(field('vhostmd-standalone', 'Provides')).toBe(`vhostmd (= ${version})`);
    expect(field('vhostmd-standalone', 'Conflicts')).toBe('vhostmd');
    expect(field('vhostmd-standalone', 'Replaces')).toBe('vhostmd');
  });

  it("replace the C daemon's packages, whatever their version", () => {
    for (const other of ['1.2-1', '1.1-5ubuntu1', '99'])
      expect(() => run('dpkg', ['--compare-versions', field('vhostmd', 'Version'), 'gt', other])).not.toThrow();
    expect(field('vhostmd-guest', 'Replaces')).toBe('vm-dump-metrics');
  });

  it.each(['vhostmd', 'vhostmd-standalone'])("%s keeps an administrator's configuration and hook", (name) => {
    expect(readFileSync(path.join(unpacked(name), 'DEBIAN/conffiles'), 'utf8')).toBe(
      '/etc/vhostmd/vhostmd.conf\n/etc/libvirt/hooks/qemu.d/vhostmd\n',
    );
  });

  it('the one of a guest runs nothing when it is installed', () => {
    expect(readdirSync(path.join(unpacked('vhostmd-guest'), 'DEBIAN')).sort()).toEqual(['control', 'md5sums']);
  });

  it('vhostmd is smaller than 12 MB, and its metadata has the size', () => {
    const bytes = Number(run('du', ['-sb', unpacked('vhostmd')]).split('\t')[0]);
    expect(bytes).toBeLessThan(12_000_000);
    expect(Number(field('vhostmd', 'Installed-Size')) * 1024).toBeGreaterThan(0.9 * bytes);
    expect(Number(field('vhostmd', 'Installed-Size')) * 1024).toBeLessThan(1.3 * bytes);
  });

  it.each([
    ['vhostmd', process.execPath],
    ['vhostmd-standalone', 'usr/lib/vhostmd/bin/node'],
  ])('%s collects metrics without any other package of npm', (name, node) => {
    const root = unpacked(name);
    const program = path.join(root, 'usr/lib/vhostmd/dist/vhostmd.cjs');
    const config = path.join(root, 'etc/vhostmd/vhostmd.conf');
    const output = run(path.resolve(root, node), [program, 'once', '-c', 'test:///default', '-f', config]);
    expect(output).toContain('<name>HostName</name>');
    expect(output).toContain("context='vm'");
  });

  it('vhostmd-standalone has the version of Node.js that packaging/node has', () => {
    const { optionalDependencies } = JSON.parse(
      readFileSync(path.join(ROOT, 'packaging/node/package.json'), 'utf8'),
    ) as {
      readonly optionalDependencies: Readonly<Record<string, string>>;
    };
    const [version] = new Set(Object.values(optionalDependencies));
    expect(new Set(Object.values(optionalDependencies)).size).toBe(1);
    expect(run(path.join(unpacked('vhostmd-standalone'), 'usr/lib/vhostmd/bin/node'), ['--version'])).toBe(
      `v${version}\n`,
    );
  });

  it.each(['koffi', 'rxjs', 'winston 3', 'Node.js'])('vhostmd-standalone has the licence of %s', (part) => {
    const copyright = readFileSync(
      path.join(unpacked('vhostmd-standalone'), 'usr/share/doc/vhostmd-standalone/copyright'),
      'utf8',
    );
    expect(copyright).toMatch(new RegExp(`^${part}`, 'm'));
  });

  it('their units start the program of the package', () => {
    const units = path.join(unpacked('vhostmd'), 'usr/lib/systemd/system');
    for (const unit of readdirSync(units)) {
      const commands = readFileSync(path.join(units, unit), 'utf8').match(/^Exec.*vhostmd.*$/gm) ?? [];
      expect(commands).not.toEqual([]);
      for (const command of commands) expect(command).toMatch(/^Exec[A-Za-z]+=[-+]*\/usr\/libexec\/vhostmd /);
    }
  });

  it('have completion that the shells can read', () => {
    const completion = path.join(unpacked('vhostmd'), 'usr/share/bash-completion/completions/vhostmd');
    expect(run('bash', ['-c', '. "$1"; complete -p vhostmd', 'bash', completion])).toContain('vhostmd');
    const zsh = readFileSync(path.join(unpacked('vhostmd'), 'usr/share/zsh/vendor-completions/_vhostmd'), 'utf8');
    expect(zsh).toMatch(/^#compdef vhostmd\n/);
  });

  it('have no errors for lintian', () => {
    const output = run('lintian', ['--allow-root', '--fail-on', 'none', ...Object.values(built)]);
    expect(output.split('\n').filter((line) => line.startsWith('E:'))).toEqual([]);
    // It has read the packages.
    expect(output).toMatch(/^W: vhostmd: /m);
    // It reads all of Node.js.
  }, 300_000);

  it('have the same bytes when they are built again, by anybody and at any time', () => {
    const again = buildPackages(path.join(folder, 'again'), ['--format', 'deb', 'vhostmd', 'vhostmd-guest'], {
      TZ: 'Asia/Tokyo',
      LC_ALL: 'C',
      HOME: folder,
    });
    for (const file of again)
      expect(readFileSync(file).equals(readFileSync(built[path.basename(file).split('_')[0] ?? ''] ?? ''))).toBe(true);
    expect(again).toHaveLength(2);
  });

  it('are built for the other architecture, too', () => {
    const other = process.arch === 'x64' ? 'arm64' : 'amd64';
    const [file = ''] = buildPackages(path.join(folder, other), ['--format', 'deb', '--arch', other, 'vhostmd']);
    expect(run('dpkg-deb', ['--field', file, 'Architecture']).trim()).toBe(other);
    run('dpkg-deb', ['--extract', file, unpacked(other)]);
    const natives = readdirSync(unpacked(other), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.node'),
    );
    expect(natives).toHaveLength(1);
    // e_machine of ELF: 183 is AArch64, 62 is x86-64.
    const machine = readFileSync(path.join(unpacked(other), natives[0] ?? '')).readUInt16LE(18);
    expect(machine).toBe(other === 'arm64' ? 183 : 62);
  });

  it('are refused for an unknown architecture, format or package', () => {
    for (const args of [['--arch', 'mips'], ['--format', 'zip'], ['vhostmd-tools'], ['--arch']])
      expect(() => run('sh', ['scripts/package.sh', ...args])).toThrow(/--arch amd64\|arm64/);
  });
});
