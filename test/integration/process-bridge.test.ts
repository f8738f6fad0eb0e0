import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { PROGRAM, scratch, type Scratch } from '../support/daemon.ts';
import { PATIENCE } from '../support/patience.ts';

const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

let folder = '';
let files: Scratch;

// A copy of the program as on a machine for which koffi has no binary.
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-bridge-'));
  const modules = path.join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(MODULES)) {
    if (name.startsWith('.') || name === '@koromix' || name === 'koffi') continue;
    symlinkSync(path.join(MODULES, name), path.join(modules, name));
  }
  cpSync(path.join(MODULES, 'koffi'), path.join(modules, 'koffi'), { recursive: true });
  cpSync(path.dirname(PROGRAM), path.join(folder, 'dist'), { recursive: true });
  cpSync(path.join(path.dirname(PROGRAM), '../package.json'), path.join(folder, 'package.json'));
  files = scratch('<metric type="string" context="host"><name>N</name><stat>host.hostname</stat></metric>');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  files.remove();
});

let preload = '';
const vhostmd = (...args: readonly string[]) =>
  spawnSync(process.execPath, [path.join(folder, 'dist/vhostmd.cjs'), ...args], {
    encoding: 'utf8',
    timeout: 60_000 * PATIENCE,
    env: { ...process.env, NODE_OPTIONS: preload },
  });
afterEach(() => void (preload = ''));

describe('CASE D6: on a machine for which koffi has no binary', () => {
  it.each([
    ['the daemon', ['-d', '-f']],
    ['the daemon in the background', ['-f']],
    ['once', ['once', '-f']],
  ])('%s ends with one sentence that says what is missing and what to do', (_, args) => {
    const { status, stdout, stderr } = vhostmd(...args, files.config);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(
        new RegExp(`^vhostmd: The npm package koffi, .* does not run on linux ${process.arch} .*npm rebuild koffi`),
      ),
    ]);
  });

  it.each([
    ['the daemon', ['-d', '-f']],
    ['attach', ['attach', 'web1', '-f']],
  ])('of s390x, which koffi does not know, %s names those that it knows', (_, args) => {
    const other = path.join(folder, 's390x.cjs');
    writeFileSync(other, "Object.defineProperty(process, 'arch', { value: 's390x' });");
    preload = `--require=${other}`;
    const { status, stderr } = vhostmd(...args, files.config);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^vhostmd: [^\n]* does not run on linux s390x [^\n]* runs on x64, [^\n]*\n$/);
    expect(stderr).not.toMatch(/rebuild| at /);
    const { optionalDependencies } = JSON.parse(readFileSync(path.join(MODULES, 'koffi/package.json'), 'utf8')) as {
      readonly optionalDependencies: Readonly<Record<string, string>>;
    };
    for (const name of Object.keys(optionalDependencies)) {
      const [, architecture] = /koffi-linux-(\w+)$/.exec(name) ?? [];
      if (architecture !== undefined) expect(stderr).toMatch(new RegExp(`[ ,]${architecture}\\b`));
    }
  });

  it('commands that need no C library work', () => {
    expect(vhostmd('--version').status).toBe(0);
    expect(vhostmd('check', files.config)).toMatchObject({ status: 0, stderr: '' });
  });
});
