import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { XMLValidator } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';

import { plot as plotOfBench } from '../bench/plot.ts';
import { type MarbleFile, parseMarbleFile } from '../src/testing/marbles/parse.ts';
import { plot, ticksTo } from './soak/plot.ts';

const root = path.join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
const below = (folder: string, ending: string): readonly string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`)
    .sort();

const renderer: string = path.join(root, 'scripts/marble-drawing.mjs');
const { drawMarbles } = (await import(renderer)) as { readonly drawMarbles: (file: MarbleFile) => string };

interface Box {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly y: number;
  readonly size: number;
}

const number = (attributes: string, name: string, otherwise: number): number =>
  Number(new RegExp(` ${name}="([\\d.]+)"`).exec(attributes)?.[1] ?? otherwise);

/** Returns the boxes of texts, estimated for a wide font. */
const textsOf = (svg: string): readonly Box[] => {
  const usual = number(/^<svg[^>]*>/.exec(svg)?.[0] ?? '', 'font-size', 13);
  return [...svg.matchAll(/<text([^>]*)>([^<]*)<\/text>/g)].map(([, attributes = '', escaped = '']) => {
    const text = escaped.replace(/&\w+;/g, '<');
    // In the drawing of the architecture, small text has its size from a class.
    const size = / class="s"/.test(attributes) ? 11 : number(attributes, 'font-size', usual);
    const width = text.length * 0.6 * size;
    const x = number(attributes, 'x', 0);
    const anchor = /text-anchor="(\w+)"/.exec(attributes)?.[1];
    const left = anchor === 'middle' ? x - width / 2 : anchor === 'end' ? x - width : x;
    return { text, left, right: left + width, y: number(attributes, 'y', 0), size };
  });
};

/** Returns what is wrong with a drawing: texts that are cut off or overlap, no dark colours. */
const faultsOf = (svg: string): readonly string[] => {
  const [, width = 0, height = 0] = (/viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? []).map(Number);
  const texts = textsOf(svg);
  const outside = texts.filter(
    ({ left, right, y, size }) => left < 0 || right > width || y - size < 0 || y + size / 4 > height,
  );
  const over = texts.filter((one, at) =>
    texts
      .slice(at + 1)
      .some(
        (other) =>
          one.left < other.right &&
          other.left < one.right &&
          Math.abs(one.y - other.y) < Math.min(one.size, other.size) * 0.9,
      ),
  );
  return [
    ...(XMLValidator.validate(svg) === true ? [] : ['not well-formed']),
    ...(texts.length > 0 ? [] : ['without texts']),
    ...(svg.includes('prefers-color-scheme:dark') ? [] : ['no dark colours']),
    ...outside.map(({ text }) => `cut off: ${text}`),
    ...over.map(({ text }) => `on another text: ${text}`),
  ];
};

/** Returns what else is wrong with a drawing of marbles: letters off their circles, overlapping circles, no axis. */
const marbleFaultsOf = (svg: string, { dash }: MarbleFile): readonly string[] => {
  const circles = [
    ...svg.matchAll(/<circle class="(?:in|out|value)" cx="(\d+)" cy="([\d.]+)" r="(\d+)"\/><text([^>]*)>/g),
  ].map(([, x, y, r, attributes = '']) => ({ x: Number(x), y: Number(y), r: Number(r), attributes }));
  const off = circles.filter(
    ({ x, y, attributes }) =>
      !attributes.includes('text-anchor="middle"') ||
      number(attributes, 'x', -1) !== x ||
      Math.abs(number(attributes, 'y', -1) - y - 4.5) > 0.5,
  );
  const over = circles.filter((one, at) =>
    circles.slice(at + 1).some((other) => Math.hypot(one.x - other.x, one.y - other.y) < one.r + other.r),
  );
  const labels = new Set(textsOf(svg).map(({ text }) => text));
  const ticks = [1, 2, 5, 10, 20, 50].map((dashes) => (dashes * dash).toLocaleString('en'));
  return [
    ...faultsOf(svg),
    ...(circles.length > 0 ? [] : ['no marbles']),
    ...off.map(({ x, y }) => `a letter off its circle at ${x},${y}`),
    ...over.map(({ x, y }) => `marbles on each other at ${x},${y}`),
    ...(labels.has('time in ms') && ticks.some((label) => labels.has(label)) ? [] : ['no axis in ms']),
  ];
};

describe('drawings', () => {
  const marbles = below('marbles', '.txt').map((file) => [file, parseMarbleFile(read(file))] as const);

  it('CASE E13: each marble file is drawn whole, centred, light and dark, with an axis in ms', () => {
    const faults = marbles.map(([file, parsed]) => [
      file,
      marbleFaultsOf(read(`docs/${file.replace(/txt$/, 'svg')}`), parsed),
    ]);
    expect(faults.filter(([, of]) => of?.length !== 0)).toEqual([]);
    expect(marbles.length).toBeGreaterThan(50);
  });

  it.each([
    ['long meanings', 'a := ' + 'WWWW mmmm '.repeat(60) + '& <end>'],
    ['a meaning without a space', `a := ${'W'.repeat(90)}`],
  ])('CASE E13: no legend is cut off, nor a marble on another: %s', (_, meaning) => {
    const file = parseMarbleFile(
      '% It is drawn.\n% 1 dash = 250 ms\n\nx = (12|)\n\ny = 3----#\n\nz = -------\n\n' +
        'xyz--x-z\ntitle = runs of a\n\n> snapshot\n' +
        `${'abc '.repeat(40)}= 1\n\n(abc)d--|\ntitle = snapshot\n${meaning}\nb := x\nc := yy\nd := MM\n`,
    );
    expect(marbleFaultsOf(drawMarbles(file), file)).toEqual([]);
  });

  it('CASE E13: a run is drawn up to its end, its cut or its error, and without one up to the end of time', () => {
    const drawnTo = (run: string): number => {
      const head = `% It is drawn.\n% 1 dash = 10 ms\n\nx = ${run}\n\n-x------\ntitle = runs of a\n\n`;
      const svg = drawMarbles(parseMarbleFile(`${head}> snapshot\n\n1-------\ntitle = snapshot\n`));
      const [, from, to] = /<path class="run" d="M(\d+) [\d.]+H(\d+)"/.exec(svg) ?? [];
      return (Number(to) - Number(from)) / 26;
    };
    expect(['--1|', '---#', '1-e\ne := error: why', '1-f\nf := failed', '---'].map(drawnTo)).toEqual([3, 3, 2, 7, 7]);
  });

  it('CASE E13: the architecture is drawn light and dark, with every folder of src and none that is not', () => {
    const svg = read('docs/architecture.svg');
    expect(faultsOf(svg)).toEqual([]);
    const folders = readdirSync(path.join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const drawn = new Set(svg.match(/src\/[a-z-]+/g));
    expect([...drawn].sort()).toEqual(folders.map(({ name }) => `src/${name}`).sort());
  });

  it('CASE E13: the axes of the plot end in round numbers, not below what is drawn', () => {
    for (const highest of [1, 3, 7.3, 29, 66, 72.6, 110, 163.3, 180, 200, 34_560, 35_295, 1_000_001]) {
      const ticks = ticksTo(highest);
      const last = ticks.at(-1) ?? 0;
      expect(ticks[0]).toBe(0);
      expect(last).toBeGreaterThanOrEqual(highest);
      expect(String((ticks[1] ?? 0) / 10 ** Math.floor(Math.log10(ticks[1] ?? 1)))).toMatch(/^[125](\.0*\d)?$/);
      expect(ticks.length).toBeLessThanOrEqual(6);
    }
    const samples = [
      { ticks: 1, rss: 90.7 },
      { ticks: 777, rss: 181.3 },
    ] as unknown as Parameters<typeof plot>[0][number]['samples'];
    const drawn = plot([{ name: 'a', samples, quiets: [] }], [], 700, ['Said.']);
    for (const svg of [drawn, read('docs/soak.svg')]) {
      expect(faultsOf(svg)).toEqual([]);
      const axis = textsOf(svg).filter(({ text }) => /^[\d,]+$/.test(text));
      expect(axis.length).toBeGreaterThan(8);
      const values = axis.map(({ text }) => Number(text.replaceAll(',', '')));
      expect(values.filter((value) => value % 5 !== 0 && value > 10)).toEqual([]);
    }
  });

  it('the plot of the bench is drawn whole, light and dark, with a bar for each program', () => {
    const ms = (of: string, what: string, value: number) => ({ of, what, value, unit: 'ms' as const });
    const drawn = plotOfBench([
      ms('vhostmd', 'CPU of its own', 3.4),
      ms('vhostmd', 'CPU of libvirtd', 0),
      { of: 'vhostmd', what: 'RSS', value: 31.3, unit: 'MiB' },
      ms('C, virDomainGetInfo for each VM', 'CPU of its own', 1234),
      ms('C, virDomainGetInfo for each VM', 'CPU of libvirtd', 56),
      ms('sh, one action after the other', 'CPU of its own', 30),
      ms('sh, one action after the other', 'CPU of its processes', 3999.9),
      ms('sh, one action after the other', 'CPU of libvirtd', 400),
      { what: 'CPU, vhostmd : sh', value: 1, unit: 'ratio' },
    ]);
    const kept = path.join(root, 'docs/performance.svg');
    for (const svg of [drawn, ...(existsSync(kept) ? [readFileSync(kept, 'utf8')] : [])])
      expect(faultsOf(svg)).toEqual([]);
    const texts = textsOf(drawn).map(({ text }) => text);
    expect(texts.filter((text) => / (?:ms|MiB)$/.test(text) && /^[\d.]+ /.test(text))).toEqual([
      '3.4 ms',
      '1290 ms',
      '4430 ms',
      '31.3 MiB',
    ]);
    expect(texts.filter((text) => text === 'vhostmd')).toHaveLength(2);
  });
});
