import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VERSION = (JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { readonly version: string })
  .version;

const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-package-'));
const run = (command: string, args: readonly string[]): string =>
  execFileSync(command, args, { cwd: folder, encoding: 'utf8' }).trim();

beforeAll(() => {
  writeFileSync(path.join(folder, 'package.json'), '{"private":true,"type":"module"}\n');
  run('npm', ['pack', ROOT, '--ignore-scripts', '--silent', '--pack-destination', folder]);
  run('npm', [
    'install',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--prefer-offline',
    `./vhostmd-${VERSION}.tgz`,
  ]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('the package that npm packs has the command, with its version', () => {
  expect(run('./node_modules/.bin/vhostmd', ['--version'])).toContain(VERSION);
});

it('the licence of each package that is part of the program comes with it', () => {
  const dist = path.join(folder, 'node_modules/vhostmd/dist');
  const maps = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.map'));
  const sources = maps.flatMap(
    (map) =>
      (JSON.parse(readFileSync(path.join(dist, map), 'utf8')) as { readonly sources: readonly string[] }).sources,
  );
  const names = sources.flatMap((file) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []);
  const licences = readFileSync(path.join(dist, 'LICENSES.txt'), 'utf8');
  expect(names).toContain('winston');
  for (const name of new Set(names)) expect(licences).toMatch(new RegExp(`^${name} [0-9.]+ \\(.+\\)$`, 'm'));
});

it.each([
  ['vhostmd', 'defineSink'],
  ['vhostmd/testing', 'playMarbles'],
])('the package that npm packs can be imported as %s', (specifier, name) => {
  const script = `const all = await import('${specifier}'); console.log(Object.keys(all).join(' '))`;
  expect(run(process.execPath, ['--input-type=module', '--eval', script]).split(' ')).toContain(name);
});
