import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { version: VERSION } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
};
const SECTION = `# Changelog\n\n## [Unreleased]\n\n## [${VERSION}] - 2026-01-02\n\n### Added\n\n- All.\n`;

const clone = mkdtempSync(path.join(tmpdir(), 'vhostmd-release-'));
const sh = (script: string): string => execFileSync('sh', ['-ec', script], { cwd: clone, encoding: 'utf8' });
const commit = (): string =>
  sh('git add --all && git -c user.name=Test -c user.email=test@example.org commit --quiet --message=release');
const release = (...args: readonly string[]) =>
  spawnSync('sh', ['scripts/release.sh', ...args], {
    cwd: clone,
    encoding: 'utf8',
    // Speed, as the size does not matter.
    env: { ...process.env, DPKG_DEB_COMPRESSOR_LEVEL: '0' },
  });

beforeAll(() => {
  // With uncommitted changes, so that the test is that of this tree.
  sh(`cd '${ROOT}' && git ls-files --cached --others --exclude-standard -z |
    xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\\0" "$file"; done' sh |
    tar -cf - --null -T - | tar -xf - -C '${clone}'`);
  writeFileSync(path.join(clone, 'CHANGELOG.md'), SECTION);
  sh('git init --quiet');
  commit();
});

afterAll(() => rmSync(clone, { recursive: true, force: true }));

describe('npm run release refuses', () => {
  const refused = (): string => {
    const { status, stderr } = release();
    expect(status).toBe(1);
    return stderr;
  };

  it('a tree with changes', () => {
    writeFileSync(path.join(clone, 'new.txt'), '');
    expect(refused()).toContain('The tree has changes');
    rmSync(path.join(clone, 'new.txt'));
  });

  it.each([
    ['no section of the version', SECTION.replace(`[${VERSION}]`, '[0.0.1]'), 'has no section'],
    ['a section without a date', SECTION.replace(' - 2026-01-02', ''), 'has no section'],
    ['changes after it', SECTION.replace('[Unreleased]', '[Unreleased]\n\n- One more.'), 'under [Unreleased]'],
  ])('a changelog that has %s', (_what, changelog, message) => {
    writeFileSync(path.join(clone, 'CHANGELOG.md'), changelog);
    commit();
    expect(refused()).toContain(message);
    sh('git reset --quiet --hard HEAD~');
  });

  it('a version whose tag is another commit', () => {
    sh(`git tag v${VERSION}`);
    appendFileSync(path.join(clone, 'README.md'), '\n');
    commit();
    expect(refused()).toContain('tag of another commit');
    sh(`git reset --quiet --hard HEAD~ && git tag --delete v${VERSION}`);
  });
});

it('npm run release builds all files of a version, twice with the same bytes', { timeout: 1_800_000 }, () => {
  const { status, stderr } = release('--verify');
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(stderr).toContain('Two builds of the commit have the same checksums');
  const folder = path.join(clone, 'release', VERSION);
  expect(execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' })).toContain(
    `vhostmd-${VERSION}.tgz: OK`,
  );
  const files = readdirSync(folder);
  for (const ending of ['_amd64.deb', '_arm64.deb', '_all.deb', '.x86_64.rpm', '.aarch64.rpm', '.noarch.rpm'])
    expect(files.filter((name) => name.endsWith(ending))).not.toEqual([]);

  const bill = JSON.parse(readFileSync(path.join(folder, `vhostmd-${VERSION}.cdx.json`), 'utf8')) as {
    readonly metadata: { readonly timestamp: string; readonly component: { readonly purl: string } };
    readonly components: readonly { readonly name: string }[];
  };
  expect(bill.metadata.component.purl).toBe(`pkg:npm/vhostmd@${VERSION}`);
  expect(bill.metadata.timestamp).toBe(new Date(Number(sh('git log -1 --format=%ct').trim()) * 1000).toISOString());
  // Installed, installed by it, and bundled; and none for development.
  const names = bill.components.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['koffi', 'rxjs', 'tslib', 'execa', 'winston', 'yargs']));
  expect(names).not.toContain('vitest');
});
