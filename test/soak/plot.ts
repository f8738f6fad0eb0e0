import type { Event } from './soak.ts';
import type { Quiet, Sample } from './subject.ts';

/** A line of the plot: a daemon with its measurements. */
export interface Line {
  readonly name: string;
  readonly samples: readonly Sample[];
  readonly quiets: readonly Quiet[];
}

const WIDTH = 900;
const LEFT = 60;
const RIGHT = 40;
const PANEL = 100;
const GAP = 46;
const TOP = 64;
const FOOT = 58;
const MARKS: Readonly<Record<Event['kind'], string>> = { 'libvirtd killed': 'killed', 'libvirtd frozen': 'frozen' };

const STYLE =
  `.page{fill:#fff}text{fill:#222}.grid{stroke:#ddd}polyline{fill:none;stroke-width:1.5}` +
  `.a{color:#1f6fb4}.b{color:#c2571a}.c{color:#3c8d40}.killed{color:#b02a30}.frozen{color:#7a5ea8}` +
  `@media (prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#e6edf3}.grid{stroke:#30363d}` +
  `.a{color:#58a6ff}.b{color:#f0883e}.c{color:#56d364}.killed{color:#ff7b72}.frozen{color:#d2a8ff}}`;
const CLASSES = ['a', 'b', 'c'];

/** Returns round values for an axis, from 0 to the first that is not below `highest`. */
export const ticksTo = (highest: number): readonly number[] => {
  const ten = 10 ** Math.floor(Math.log10(highest / 4));
  const step = [1, 2, 5, 10].map((times) => times * ten).find((size) => size * 4 >= highest) ?? highest;
  return Array.from({ length: Math.ceil(highest / step) + 1 }, (_, nth) => nth * step);
};

type Point = readonly [x: number, y: number];

const panels: readonly { readonly title: string; readonly points: (line: Line) => readonly Point[] }[] = [
  { title: 'RSS at any time, MiB', points: ({ samples }) => samples.map(({ ticks, rss }) => [ticks, rss]) },
  { title: 'RSS at quiet times, MiB', points: ({ quiets }) => quiets.map(({ ticks, rss }) => [ticks, rss]) },
  { title: 'Heap after a collection, MiB', points: ({ quiets }) => quiets.map(({ ticks, heap }) => [ticks, heap]) },
  {
    title: 'Open descriptors at quiet times',
    points: ({ quiets }) => quiets.map((quiet) => [quiet.ticks, quiet.descriptors]),
  },
];

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const text = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(content)}</text>`;

/** Draws memory and descriptors over ticks, with the faults of libvirtd, and lines of text below. */
export const plot = (
  lines: readonly Line[],
  events: readonly Event[],
  total: number,
  caption: readonly string[],
): string => {
  const height = TOP + panels.length * (PANEL + GAP) + FOOT + caption.length * 16;
  // One daemon may have more ticks than the slowest, which ends the run.
  const most = Math.max(
    total,
    ...lines.flatMap(({ samples, quiets }) => [...samples, ...quiets].map(({ ticks }) => ticks)),
  );
  const axis = ticksTo(most);
  const x = (ticks: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * ticks) / (axis.at(-1) ?? most);
  const parts: string[] = [
    text(LEFT, 22, `The daemon over ${total.toLocaleString('en')} ticks`, 'font-size="15" font-weight="bold"'),
  ];
  const legend = [...lines.map(({ name }, at) => [name, CLASSES[at]] as const), ...Object.entries(MARKS)];
  let at = LEFT;
  for (const [name, kind] of legend) {
    parts.push(
      `<rect x="${at}" y="33" width="10" height="10" class="${kind}" fill="currentColor"/>`,
      text(at + 14, 42, name),
    );
    at += 30 + name.length * 8;
  }
  for (const [index, { title, points }] of panels.entries()) {
    const top = TOP + index * (PANEL + GAP) + 14;
    const all = lines.map(points);
    const values = ticksTo(Math.max(1, ...all.flat().map(([, value]) => value)));
    const highest = values.at(-1) ?? 1;
    const y = (value: number): number => top + PANEL * (1 - value / highest);
    parts.push(text(LEFT, top - 6, title, 'font-weight="bold"'));
    for (const value of values) {
      parts.push(
        `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" class="grid"/>`,
        text(LEFT - 6, y(value) + 4, value.toLocaleString('en'), 'text-anchor="end"'),
      );
    }
    for (const { kind, ticks } of events)
      parts.push(
        `<line x1="${x(ticks).toFixed(1)}" x2="${x(ticks).toFixed(1)}" y1="${top}" y2="${top + PANEL}" class="${MARKS[kind]}" stroke="currentColor" stroke-dasharray="2 3"/>`,
      );
    for (const [line, drawn] of all.entries()) {
      const path = drawn.map(([ticks, value]) => `${x(ticks).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
      parts.push(`<polyline points="${path}" class="${CLASSES[line]}" stroke="currentColor"/>`);
    }
  }
  const bottom = TOP + panels.length * (PANEL + GAP) - 10;
  for (const ticks of axis) parts.push(text(x(ticks), bottom, ticks.toLocaleString('en'), 'text-anchor="middle"'));
  parts.push(...caption.map((line, index) => text(LEFT, bottom + 28 + index * 16, line)));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">\n<style>${STYLE}</style>\n` +
    `<rect width="${WIDTH}" height="${height}" class="page"/>\n${parts.join('\n')}\n</svg>\n`
  );
};
