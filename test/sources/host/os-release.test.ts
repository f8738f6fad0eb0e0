import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { osRelease } from '../../../src/sources/host/os-release.ts';

const nameIn = (text: string): string | undefined => osRelease(text).get('NAME');

/** Returns the value of NAME in a shell that has sourced each of the texts. */
const namesByShell = (texts: readonly string[]): readonly string[] => {
  const folder = mkdtempSync(join(tmpdir(), 'vhostmd-os-release-'));
  try {
    texts.forEach((text, index) => writeFileSync(join(folder, String(index)), text));
    const script = `for file in $(seq 0 ${texts.length - 1}); do (NAME=; . ./$file; printf '%s\\0' "$NAME") 2>/dev/null; done`;
    return execFileSync('/bin/sh', ['-c', script], { cwd: folder, env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8' })
      .split('\0')
      .slice(0, -1);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

describe('os-release', () => {
  it.each([
    ['NAME=Foo # x\n', 'Foo'],
    ['\uFEFFNAME=Foo\n', 'Foo'],
    ['NAME=Foo#x', 'Foo#x'],
    ["NAME='Foo # \"x'\n", 'Foo # "x'],
    ['NAME="a \\"b\\" \\$c \\`d\\` \\\\e \\f"\n', 'a "b" $c `d` \\e \\f'],
    ["NAME='a\\b'", 'a\\b'],
    ['NAME=Foo\\ Bar\n', 'Foo Bar'],
    ['NAME=Foo" B"\'ar\'\n', 'Foo Bar'],
    ['# NAME=no\n  NAME=Foo ; ID=x\n', 'Foo'],
    ['NAME=a\nNAME=b\n', 'b'],
    ['export NAME=Foo\n', 'Foo'],
    ['ID=x NAME=Foo\n', 'Foo'],
    ['NAME="two\nlines"\n', 'two\nlines'],
    ['NAME=Foo\\\nBar\n', 'FooBar'],
    ['NAME=Foo\r\nID=x\r\n', 'Foo'],
    ['NAME=""\n', ''],
    ['FULL_NAME=x\n', undefined],
    ['NAME=Red Hat\n', undefined],
    ['NAME = Foo\n', undefined],
  ])('CASE B11: %j is read as the shell reads it', (text, expected) => {
    expect(nameIn(text)).toBe(expected);
  });

  it('CASE B11: gives what /bin/sh finds, for texts of quotes, escapes and comments at random', () => {
    const pieces = `a|B| |#|\\ |\\"|\\'|\\\\|\\n|""|''|"a b"|'c # d'|"e\\"f"|"g\\h"|=|.`.split('|');
    const piece = fc.constantFrom(...pieces);
    const texts = fc
      .sample(fc.array(piece, { maxLength: 8 }), { numRuns: 300, seed: 11 })
      // The shell would run a word after a blank as a command.
      .map((some) => `NAME=${some.join('')}`)
      .filter((text) => !/[^\\] +[^ #]/.test(text.replace(/'[^']*'|"(?:\\.|[^"\\])*"/g, 'q')));
    expect(texts.length).toBeGreaterThan(100);
    expect(texts.map((text) => nameIn(`${text}\n`) ?? '')).toEqual(namesByShell(texts.map((text) => `${text}\n`)));
  });

  it('reads 64 KiB of anything without long searching', () => {
    for (const part of ['"', "'", '\\', 'a', 'A=', '#', ' ', '"a\\', '=\n'])
      expect(osRelease(part.repeat(65_536 / part.length)).size, part).toBeLessThan(3);
  });
});
