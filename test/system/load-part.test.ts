import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-part-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LOADER = new URL('../../.cache/modules/system/load-part.js', import.meta.url).href;

/** Loads `part.mjs` with the built loader in another process; returns its export or the error. */
const loaded = (files: Readonly<Record<string, string>>, before = ''): string => {
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  const program = path.join(folder, 'program.mjs');
  const lines = [
    `import { openSync } from 'node:fs';`,
    `import { loadPart } from '${LOADER}';`,
    before,
    `const fail = ({ name, message }) => name + ': ' + message;`,
    `process.stdout.write(await loadPart(() => import('${folder}/part.mjs')).then(({ part }) => part, fail));`,
  ];
  writeFileSync(program, lines.join('\n'));
  try {
    const limited = 'ulimit -n 64; exec "$0" "$1"';
    return execFileSync('sh', ['-c', limited, process.execPath, program], { encoding: 'utf8' });
  } finally {
    for (const name of Object.keys(files)) rmSync(path.join(folder, name));
  }
};

const REQUIRE = `import { createRequire } from 'node:module';\nexport const part = createRequire(import.meta.url)`;
const GOOD = `export const part = 'loaded';`;

it('a part that is as it should be is loaded', () => {
  expect(loaded({ 'part.mjs': GOOD })).toBe('loaded');
});

it.each<[what: string, files: Readonly<Record<string, string>>, reason: string, before?: string]>([
  ['is missing', {}, 'Cannot find module'],
  ['is cut off', { 'part.mjs': 'export const part = {' }, 'Unexpected end of input'],
  ['needs a file that is missing', { 'part.mjs': `import './none.mjs';` }, 'Cannot find module'],
  ['needs a package that is missing', { 'part.mjs': `import 'none';` }, "Cannot find package 'none'"],
  ['requires a package that is missing', { 'part.mjs': `${REQUIRE}('none');` }, "Cannot find module 'none'"],
  [
    'imports what another version of a file does not export',
    { 'part.mjs': `import { none } from './other.mjs';`, 'other.mjs': '' },
    `does not provide an export named 'none'`,
  ],
  [
    'needs a binary of another machine',
    { 'part.mjs': `${REQUIRE}('./binary.node');`, 'binary.node': 'none' },
    'binary.node',
  ],
  [
    'cannot be opened, for want of descriptors',
    { 'part.mjs': GOOD },
    'EMFILE',
    `try { for (;;) openSync('/dev/null'); } catch {}`,
  ],
])('a part that %s is not loaded', (_what, files, reason, before) => {
  const text = loaded(files, before);
  expect(text).toMatch(/^PartNotLoaded: /);
  expect(text).toContain(reason);
});

it.each([
  [`throw new TypeError('a bug');`, 'TypeError: a bug'],
  [`undefined.part;`, 'TypeError: Cannot read'],
  [`Buffer.from(undefined);`, 'TypeError: The first argument'],
])('an error of the part itself is passed on unchanged: %s', (text, error) => {
  expect(loaded({ 'part.mjs': text })).toContain(error);
  expect(loaded({ 'part.mjs': text })).not.toContain('PartNotLoaded');
});
