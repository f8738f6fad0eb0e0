import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { PROGRAM } from '../../support/daemon.ts';
import { vhostmd } from './program.ts';

describe('vhostmd completion', () => {
  it.each(['bash', 'zsh', 'fish'])('prints the script for the named shell, not for that of the user: %s', (shell) => {
    const named = vhostmd(['completion', shell], { env: { SHELL: '/bin/other' } });
    const own = vhostmd(['completion'], { env: { SHELL: `/usr/bin/${shell}` } });
    expect(named).toMatchObject({ code: 0, stderr: '', stdout: own.stdout });
    const mark = { bash: 'COMPREPLY', zsh: '#compdef vhostmd', fish: 'complete --command vhostmd' }[shell] ?? '';
    expect(named.stdout).toContain(mark);
  });

  it('names the known shells if the given one is unknown', () => {
    expect(vhostmd(['completion', 'tcsh'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^vhostmd: The shell must be one of bash, zsh, fish, found "tcsh"\n/),
    });
  });
});

describe('fish with the script of vhostmd completion', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-fish-'));
  beforeAll(() => {
    writeFileSync(path.join(folder, 'script.fish'), vhostmd(['completion', 'fish']).stdout);
    writeFileSync(path.join(folder, 'a-file.xml'), '');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Returns the words that fish offers at the end of a line. */
  const offered = (line: string): readonly string[] => {
    const { stdout, stderr } = spawnSync(
      'fish',
      ['--no-config', '--command', `source script.fish; complete --do-complete ${JSON.stringify(line)}`],
      { cwd: folder, encoding: 'utf8', env: { ...process.env, HOME: folder } },
    );
    expect(stderr).toBe('');
    return stdout
      .split('\n')
      .filter((row) => row !== '')
      .map((row) => row.split('\t', 1)[0] ?? '')
      .toSorted();
  };

  it.each([
    ['vhostmd ', ['attach', 'check', 'completion', 'dump', 'once', 'prepare', 'status', 'watch', 'why']],
    ['vhostmd -f a.xml ch', ['check']],
    ['vhostmd --no', ['--no-daemonize']],
    ['vhostmd attach --d', ['--detach', '--device']],
    ['vhostmd attach --device ', ['channel', 'private-disk', 'shared-disk']],
    ['vhostmd attach --device=c', ['--device=channel']],
    ['vhostmd watch --sort s', ['steal']],
    ['vhostmd completion f', ['fish']],
    ['vhostmd -u roo', ['root']],
    ['vhostmd -f a-', ['a-file.xml']],
    ['vhostmd check a-', ['a-file.xml']],
    ['vhostmd check --q', ['--quiet']],
    ['vhostmd a-', []],
    ['vhostmd once a-', []],
    ['vhostmd once --q', []],
    ['vhostmd check at', []],
  ])('completes %j', (line, words) => expect(offered(line)).toEqual(words));
});

describe('bash with the script of vhostmd completion', () => {
  const script = vhostmd(['completion', 'bash']).stdout;

  /** Returns the words that bash offers at the end of a line. */
  const offered = (line: string): readonly string[] => {
    const words = line.split(' ');
    const { stdout, stderr } = spawnSync(
      'bash',
      [
        '-c',
        `vhostmd() { '${process.execPath}' '${PROGRAM}' "$@"; }\n${script}\nCOMP_WORDS=("$@") COMP_CWORD=$(($# - 1))\n` +
          `$(complete -p vhostmd | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' "\${COMPREPLY[@]}"`,
        'bash',
        ...words,
      ],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    return stdout.split('\n').filter((row) => row !== '');
  };

  it.each([
    ['vhostmd completion ', ['bash', 'zsh', 'fish']],
    ['vhostmd completion f', ['fish']],
    ['vhostmd -f a.xml completion z', ['zsh']],
    ['vhostmd completion --conn', ['--connect']],
    ['vhostmd comp', ['completion']],
    ['vhostmd attach --device c', ['channel']],
    ['vhostmd check --q', ['--quiet']],
    ['vhostmd once x', []],
  ])('completes %j', (line, words) => expect(offered(line)).toEqual(words));
});
