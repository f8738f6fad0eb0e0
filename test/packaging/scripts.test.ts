import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { ROOT, run } from './packages.ts';

const scripts = [
  'packaging/vhostmd',
  'scripts/package.sh',
  ...['deb', 'rpm'].flatMap((format) =>
    readdirSync(path.join(ROOT, 'packaging', format))
      .filter((name) => !name.includes('.'))
      .map((name) => `packaging/${format}/${name}`),
  ),
];

describe('the scripts of the packages', () => {
  it('are all found', () => {
    expect(scripts).toHaveLength(8);
  });

  it.each(scripts)('%s has no finding of shellcheck, and the syntax of a POSIX shell', (script) => {
    expect(readFileSync(path.join(ROOT, script), 'utf8')).toMatch(/^#!\/bin\/sh\n/);
    expect(run('shellcheck', ['--external-sources', '--source-path=scripts', script])).toBe('');
    expect(run('dash', ['-n', script])).toBe('');
  });

  it('the command of the package is executable', () => {
    expect(statSync(path.join(ROOT, 'packaging/vhostmd')).mode & 0o111).not.toBe(0);
  });
});
