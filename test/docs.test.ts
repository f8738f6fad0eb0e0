import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { STATISTICS } from '../src/model/statistics.ts';

const root = path.join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
const pages = ['.', 'docs', 'examples', 'guest', 'marbles', 'bench'].flatMap((folder) =>
  readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(folder, name)),
);
// Removes code, whose links are not checked.
const prose = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, 'x');
/** Returns the anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
const anchorsOf = (name: string): readonly string[] =>
  [...read(name).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));

describe('the documentation', () => {
  it.each(pages)('%s has links that lead somewhere', (page) => {
    const broken = [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [file = '', anchor] = link.split('#');
        const target = file === '' ? page : path.join(path.dirname(page), file);
        if (!existsSync(path.join(root, target))) return true;
        return anchor !== undefined && !anchorsOf(target).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  it.each(pages)('%s has lines of at most 120 columns, but for tables and code', (page) => {
    const long = read(page)
      .replace(/^```[\s\S]*?^```/gm, '')
      .split('\n')
      .filter((line) => line.length > 120 && !line.startsWith('|') && !/^ *\|/.test(line) && !/^(?:#|!?\[)/.test(line));
    expect(long).toEqual([]);
  });

  it('has comments of at most 120 columns in the source', () => {
    const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' });
    const long = sources
      .filter((name) => /\.c?ts$/.test(name))
      .flatMap((name) => read(`src/${name}`).split('\n'))
      .filter((line) => line.length > 120 && /^ *(?:\/\/|\/?\*)/.test(line));
    expect(long).toEqual([]);
  });

  it('has each page of docs in its index', () => {
    const index = read('docs/README.md');
    const missing = readdirSync(path.join(root, 'docs')).filter(
      (name) => name.endsWith('.md') && name !== 'README.md' && !index.includes(`](${name})`),
    );
    expect(missing).toEqual([]);
  });

  it('explains each error and warning of the log', () => {
    const page = read('docs/troubleshooting.md');
    const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      /^(?:sinks\/(?!modules\/load)|daemon\/|system\/(?:process\/|unix-socket)|cli\/commands\/run).*\.ts$/.test(name),
    );
    const MESSAGE =
      /(?:log\(\s*'(?:err|warning)', '[^']+', |new Error\(\s*|warning\()(?:`((?:\\.|[^`])*)`|'((?:\\.|[^'])*)')/g;
    const fixed = sources.flatMap((name) =>
      [...read(`src/${name}`).matchAll(MESSAGE)].map(([, template, text]) =>
        // Keeps the longest part without a value.
        (template ?? text ?? '')
          .split(/\$\{[^}]*\}/)
          .reduce((one, other) => (other.length > one.length ? other : one))
          .replace(/^[\s,]+|[\s:]+$/g, ''),
      ),
    );
    expect(fixed.length).toBeGreaterThan(30);
    expect(fixed.filter((text) => text.length >= 12 && !page.includes(text))).toEqual([]);
  });

  it('says of each statistic about contention, promises, activity and the verdict what a hostile tenant learns by it', () => {
    const rows = [...read('docs/security.md').matchAll(/^\| (`[^|]*) \| [^|]+ \| [^|]+ \|$/gm)];
    const patterns = rows
      .flatMap(([, names = '']) => [...names.matchAll(/`([\w.*]+)`/g)])
      .map(([, name = '']) => new RegExp(`^${name.replaceAll('.', '\\.').replaceAll('*', '.*')}$`));
    const told = STATISTICS.vm
      .map(({ name }) => name)
      .filter((name) => /^(?:contention|promised|activity|slow)\./.test(name));
    expect(told.filter((name) => !patterns.some((pattern) => pattern.test(name)))).toEqual([]);
  });
});
