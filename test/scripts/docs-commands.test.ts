import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PATIENCE } from '../support/patience.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = path.join(ROOT, 'scripts/docs-commands.mjs');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-docs-'));
  for (const name of ['docs', 'examples', 'marbles']) mkdirSync(path.join(folder, name));
  for (const name of ['docs/service.md', 'docs/guests.md']) writeFileSync(path.join(folder, name), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const readme = (...lines: readonly string[]): void => writeFileSync(path.join(folder, 'README.md'), lines.join('\n'));
const program = (...args: readonly string[]) =>
  spawnSync(process.execPath, [PROGRAM, ...args], { cwd: folder, encoding: 'utf8', timeout: 50_000 * PATIENCE });

describe('CASE A6: the commands of the documentation', () => {
  it('are each run, or the reader sees why not', () => {
    execFileSync(process.execPath, [PROGRAM, '--check'], { cwd: ROOT });
  });

  it('cannot be left out without a word', () => {
    readme('a', '', '```sh', 'true', '```', '');
    expect(program('--check')).toMatchObject({
      status: 1,
      stderr: 'README.md:4: this block is neither marked with where to run it nor followed by a reason\n',
    });
    readme('a', '', '<!-- run as nobody -->', '```sh', 'true', '```', '');
    expect(program('--check').stderr).toContain('README.md:5: this block is to be run "as nobody"');
  });

  it('fail where one does, with what it printed, and the others go on', () => {
    readme('<!-- run as root -->', '```sh', 'echo why; exit 3   # a remark', 'true', '```', '');
    expect(program('here', 'as root')).toMatchObject({
      status: 1,
      stdout:
        'FAILED: here: README.md:3: echo why; exit 3\nwhy\n\npassed: here: README.md:3: true\n1 passed, 1 failed\n',
    });
  });

  it('are not run where they do not belong, and no command at all is a failure', () => {
    readme('<!-- run as root -->', '```sh', 'exit 1', '```', '', '```sh', 'exit 2', '```', '', '*Needs a VM.*', '');
    expect(program('here', 'as anybody')).toMatchObject({
      status: 1,
      stdout:
        'not run: here: README.md:3: exit 1: only as root\nnot run: here: README.md:7: exit 2: Needs a VM.\n0 passed, 1 failed\n',
    });
  });
});
