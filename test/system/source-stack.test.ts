import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { sourceStack } from '../../src/system/source-stack.ts';

const ROOT = new URL('../../', import.meta.url);
const DIST = new URL('dist/', ROOT).href;

it('the stack of an error in the built program names the places in src', () => {
  const script = `import(${JSON.stringify(`${DIST}index.js`)}).then(({ metricsXml }) => metricsXml(undefined))`;
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(stderr).toContain(`${DIST}parts/`);
  const [, file = '', line = ''] = /at .*?(src\/\S+?):(\d+):\d+/.exec(sourceStack(stderr, DIST)) ?? [];
  expect(file).toBe('src/model/metrics-xml.ts');
  const source = readFileSync(fileURLToPath(new URL(file, ROOT)), 'utf8').split('\n');
  expect(source[Number(line) - 1]).toContain('host');
});

it.each([
  ['of Node', 'at file (node:fs:1:2)'],
  ['of a module of somebody else', 'at make (file:///opt/sink/index.js:1:2)'],
  ['of a part that an upgrade has taken away', `at make (${DIST}parts/gone-12345678.js:1:2)`],
])('a place %s stays as it is', (_what, frame) => {
  expect(sourceStack(`Error: no\n    ${frame}`, DIST)).toBe(`Error: no\n    ${frame}`);
});
