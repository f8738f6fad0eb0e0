import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startLibvirtd, type PrivateLibvirtd } from '../support/libvirtd.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { version: VERSION } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
};

const prefix = mkdtempSync(path.join(tmpdir(), 'vhostmd-package-'));
const installed = path.join(prefix, 'lib/node_modules/vhostmd');
const run = (command: string, args: readonly string[], cwd = prefix): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8' }).trim();
const vhostmd = (...args: readonly string[]): string => run('./bin/vhostmd', args);
const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((name) => !name.startsWith('node_modules/'));

beforeAll(() => {
  run('npm', ['pack', ROOT, '--ignore-scripts', '--silent', '--pack-destination', prefix]);
  run('npm', [
    'install',
    '--global',
    `--prefix=${prefix}`,
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--prefer-offline',
    `./vhostmd-${VERSION}.tgz`,
  ]);
});

afterAll(() => rmSync(prefix, { recursive: true, force: true }));

describe('the package that npm packs, installed for all users', () => {
  it('has the program, its presets and documentation, and nothing that only developers need', () => {
    const files = filesIn(installed);
    expect(new Set(files.map((name) => name.split('/')[0]))).toEqual(
      new Set(['CHANGELOG.md', 'LICENSE', 'README.md', 'conf', 'dist', 'docs', 'examples', 'guest', 'package.json']),
    );
    expect(
      files.filter((name) => /\.(?:test|bench)\.|(?<!\.d)\.c?ts$|^docs\/(?:marbles|timing)|\.json$/.test(name)),
    ).toEqual(['package.json']);
  });

  it('has source maps without the text of the sources', () => {
    const maps = filesIn(installed).filter((name) => name.endsWith('.map'));
    expect(maps).not.toEqual([]);
    for (const map of maps) {
      const { sources, sourcesContent } = JSON.parse(readFileSync(path.join(installed, map), 'utf8')) as {
        readonly sources: readonly string[];
        readonly sourcesContent?: unknown;
      };
      expect(sources).not.toEqual([]);
      expect(sourcesContent).toBeUndefined();
    }
  });

  it('brings the packages that sinks share with it, and the bridge to the C libraries; no other', () => {
    const modules = readdirSync(path.join(installed, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(modules).toEqual(['@koromix', 'koffi', 'rxjs', 'tslib']);
  });

  it('has the licence of each package that is part of the program', () => {
    const maps = filesIn(installed).filter((name) => name.endsWith('.map'));
    const sources = maps.flatMap(
      (map) =>
        (JSON.parse(readFileSync(path.join(installed, map), 'utf8')) as { readonly sources: readonly string[] })
          .sources,
    );
    const names = sources.flatMap((file) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []);
    const licences = readFileSync(path.join(installed, 'dist/LICENSES.txt'), 'utf8');
    expect(names).toContain('winston');
    for (const name of new Set(names)) expect(licences).toMatch(new RegExp(`^${name} [0-9.]+ \\(.+\\)$`, 'm'));
  });

  it('has the command, with its version and its man pages', () => {
    expect(vhostmd('--version')).toBe(VERSION);
    for (const page of ['man8/vhostmd.8', 'man5/vhostmd.conf.5'])
      expect(existsSync(path.join(prefix, 'share/man', page))).toBe(true);
  });

  it('accepts its own presets', () => {
    const presets = readdirSync(path.join(installed, 'conf')).filter((name) => name.endsWith('.xml'));
    expect(presets).not.toEqual([]);
    for (const preset of presets) {
      const { status, stderr } = spawnSync(
        path.join(prefix, 'bin/vhostmd'),
        ['check', '--quiet', path.join(installed, 'conf', preset)],
        { encoding: 'utf8' },
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
  });

  it('has scripts that run as they are: the guest tool and the hook of libvirt', () => {
    for (const script of ['guest/vm-dump-metrics', 'conf/libvirt-hook'])
      expect(statSync(path.join(installed, script)).mode & 0o111).toBe(0o111);
    expect(run(path.join(installed, 'guest/vm-dump-metrics'), ['--version'])).toContain(VERSION);
  });

  it.each([
    ['vhostmd', 'defineSink'],
    ['vhostmd/testing', 'playMarbles'],
  ])('can be imported as %s', (specifier, name) => {
    const script = `const all = await import('${specifier}'); console.log(Object.keys(all).join(' '))`;
    const names = run(process.execPath, ['--input-type=module', '--eval', script], path.join(prefix, 'lib'));
    expect(names.split(' ')).toContain(name);
  });

  describe('beside a libvirt with a domain', () => {
    let libvirtd: PrivateLibvirtd;
    let uuid: string;
    beforeAll(async () => {
      libvirtd = await startLibvirtd();
      uuid = await libvirtd.create('packed');
    });
    afterAll(async () => await libvirtd.close());

    it('prints a snapshot of the host and of the domain', () => {
      const snapshot = vhostmd('-c', libvirtd.uri, '-f', path.join(installed, 'conf/vhostmd.xml'), 'once');
      expect(snapshot).toMatch(/<name>VirtualizationVendor<\/name>\s*<value>.+<\/value>/);
      expect(snapshot).toMatch(
        new RegExp(`context='vm' [^>]*uuid='${uuid}'>\\s*<name>ResourceProcessorLimit</name>\\s*<value>1</value>`),
      );
    });
  });
});
