import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
const DECLARATION = String.raw`export (?:const|type|interface|function) `;

/** Returns the names that an entry of the package exports, with the file that declares each. */
const exportsOf = (entry: string): readonly (readonly [name: string, file: string])[] =>
  [...read(entry).matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';$/gm)].flatMap(([, names = '', from = '']) =>
    names
      .split(',')
      .map((name) => name.replace('type ', '').trim())
      .filter((name) => name !== '')
      .map((name) => [name, path.join(path.dirname(entry), from)] as const),
  );

describe('the public API', () => {
  const exported = ['src/index.ts', 'src/testing/index.ts'].flatMap(exportsOf);

  it('has a comment above each export', () => {
    expect(exported.length).toBeGreaterThan(30);
    const bare = exported.filter(([name, file]) => !new RegExp(`\\*/\n${DECLARATION}${name}\\b`).test(read(file)));
    expect(bare).toEqual([]);
  });

  it('has an example above each function that a sink or its test is built on', () => {
    const without = [
      'defineSink',
      'deliverLatest',
      'exhaustMapLatest',
      'document',
      'sinkContract',
      'playMarbles',
    ].filter((name) => {
      const file = exported.find(([other]) => other === name)?.[1] ?? '';
      const [above = ''] = read(file).split(new RegExp(`^${DECLARATION}${name}\\b`, 'm'));
      return !above.slice(above.lastIndexOf('/**')).includes('@example');
    });
    expect(without).toEqual([]);
  });

  it('has examples that compile', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-examples-'));
    try {
      const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' });
      const examples = sources
        .filter((name) => name.endsWith('.ts'))
        .flatMap((name) =>
          [...read(`src/${name}`).matchAll(/@example\n \* ```ts\n([\s\S]*?)\n \* ```\n/g)].map(
            ([, code = '']) => [name, code.replaceAll(/^ \* ?/gm, '')] as const,
          ),
        );
      for (const [name, code] of examples) writeFileSync(path.join(folder, name.replaceAll('/', '-')), `${code}\n`);
      symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
      const config = {
        extends: path.join(root, 'tsconfig.json'),
        compilerOptions: {
          noUnusedLocals: false,
          paths: {
            vhostmd: [path.join(root, 'src/index.ts')],
            'vhostmd/testing': [path.join(root, 'src/testing/index.ts')],
          },
        },
        include: [folder],
      };
      writeFileSync(path.join(folder, 'package.json'), '{"type": "module"}');
      writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
      expect(examples.length).toBeGreaterThan(5);
      execFileSync(path.join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
    } catch (error) {
      // Only stdout has the compiler's messages.
      throw error instanceof Error && 'stdout' in error ? new Error(String(error.stdout)) : error;
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
