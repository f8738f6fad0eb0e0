import type { Event } from './soak.ts';
import type { Quiet, Sample } from './subject.ts';

/** A line of the plot: a daemon with what was measured of it. */
export interface Line {
  readonly name: string;
  readonly samples: readonly Sample[];
  readonly quiets: readonly Quiet[];
}

const WIDTH = 860;
const LEFT = 60;
const RIGHT = 20;
const PANEL = 100;
const GAP = 46;
const TOP = 64;
const FOOT = 58;
const COLOURS = ['#1f6fb4', '#c2571a', '#3c8d40'];
const MARKS: Readonly<Record<Event['kind'], string>> = { 'libvirtd killed': '#b02a30', 'libvirtd frozen': '#7a5ea8' };

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

/** A drawing of memory and descriptors over ticks, with what befell libvirt, and lines of text below. */
export const plot = (
  lines: readonly Line[],
  events: readonly Event[],
  total: number,
  caption: readonly string[],
): string => {
  const height = TOP + panels.length * (PANEL + GAP) + FOOT + caption.length * 16;
  // A daemon may have come farther than the one that the run waited for.
  const most = Math.max(total, ...lines.flatMap(({ samples }) => samples.map(({ ticks }) => ticks)));
  const x = (ticks: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * ticks) / most;
  const parts: string[] = [
    text(LEFT, 22, `The daemon over ${total.toLocaleString('en')} ticks`, 'font-size="15" font-weight="bold"'),
  ];
  const legend = [...lines.map(({ name }, at) => [name, COLOURS[at]] as const), ...Object.entries(MARKS)];
  let at = LEFT;
  for (const [name, colour] of legend) {
    parts.push(`<rect x="${at}" y="33" width="10" height="10" fill="${colour}"/>`, text(at + 14, 42, name));
    at += 30 + name.length * 6.6;
  }
  for (const [index, { title, points }] of panels.entries()) {
    const top = TOP + index * (PANEL + GAP) + 14;
    const all = lines.map(points);
    const highest = Math.max(1, ...all.flat().map(([, value]) => value)) * 1.1;
    const y = (value: number): number => top + PANEL * (1 - value / highest);
    parts.push(text(LEFT, top - 6, title, 'font-weight="bold"'));
    for (const part of [0, 0.5, 1]) {
      const value = Math.round(highest * part);
      parts.push(
        `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="#ddd"/>`,
        text(LEFT - 6, y(value) + 4, String(value), 'text-anchor="end"'),
      );
    }
    for (const { kind, ticks } of events)
      parts.push(
        `<line x1="${x(ticks).toFixed(1)}" x2="${x(ticks).toFixed(1)}" y1="${top}" y2="${top + PANEL}" stroke="${MARKS[kind]}" stroke-dasharray="2 3"/>`,
      );
    for (const [line, drawn] of all.entries()) {
      const path = drawn.map(([ticks, value]) => `${x(ticks).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
      parts.push(`<polyline points="${path}" fill="none" stroke="${COLOURS[line]}" stroke-width="1.5"/>`);
    }
  }
  const bottom = TOP + panels.length * (PANEL + GAP) - 10;
  for (let part = 0; part <= 4; part += 1) {
    const ticks = Math.round((total * part) / 4);
    parts.push(text(x(ticks), bottom, ticks.toLocaleString('en'), 'text-anchor="middle"'));
  }
  parts.push(...caption.map((line, index) => text(LEFT, bottom + 28 + index * 16, line)));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#222">\n` +
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`
  );
};
