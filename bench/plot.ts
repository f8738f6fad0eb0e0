import { ticksTo } from '../test/soak/plot.ts';
import type { Figure } from './row.ts';

const WIDTH = 900;
const LEFT = 244;
const RIGHT = 130;
const BAR = 16;
const STEP = 26;
const HEAD = 34;
const FOOT = 40;
const STYLE =
  `.page{fill:#fff}text{fill:#1f2328}.dim{fill:#59636e}.grid{stroke:#d1d9e0}` +
  `.a{fill:#0969da}.b{fill:#bc4c00}.c{fill:#1a7f37}` +
  `@media (prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#e6edf3}.dim{fill:#9198a1}.grid{stroke:#30363d}` +
  `.a{fill:#58a6ff}.b{fill:#f0883e}.c{fill:#56d364}}`;

interface Panel {
  readonly title: string;
  readonly unit: string;
  /** Figures whose bars stand behind each other, with the name and the class of each. */
  readonly parts: readonly (readonly [what: string, name: string, kind: string])[];
  /** True if a program with these figures has a bar. */
  readonly shows: (figures: readonly Figure[]) => boolean;
}

// Returns whether a program works by processes that it starts.
const starts = (figures: readonly Figure[]): boolean => figures.some(({ what }) => what === 'CPU of its processes');
const OWN = ['CPU of its own', 'its own', 'a'] as const;
const SHELLS = ['CPU of its processes', 'its processes', 'c'] as const;
const LIBVIRTD = ['CPU of libvirtd', 'libvirtd', 'b'] as const;

const PANELS: readonly Panel[] = [
  {
    title: 'CPU per collection, ms',
    unit: 'ms',
    parts: [OWN, LIBVIRTD],
    shows: (figures) => !starts(figures) && figures.some(({ unit }) => unit === 'ms'),
  },
  {
    title: 'CPU per collection by shell actions, ms',
    unit: 'ms',
    parts: [OWN, SHELLS, LIBVIRTD],
    shows: starts,
  },
  {
    title: 'Resident memory (RSS), MiB',
    unit: 'MiB',
    parts: [['RSS', 'RSS', 'a']],
    shows: (figures) => figures.some(({ what }) => what === 'RSS'),
  },
];

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const write = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more}>${escape(content)}</text>`;

const legend = (parts: Panel['parts'], top: number): readonly string[] =>
  parts.flatMap(([, name, kind], at) => {
    const x = WIDTH - RIGHT - (parts.length - at) * 110;
    return [
      `<rect class="${kind}" x="${x}" y="${top - 10}" width="10" height="10"/>`,
      write(x + 14, top, name, ' class="dim"'),
    ];
  });

const draw = (panel: Panel, programs: ReadonlyMap<string, readonly Figure[]>, top: number): readonly string[] => {
  const lines = [...programs].map(([program, figures]) => ({
    program,
    values: panel.parts.map(([part]) => figures.find(({ what }) => what === part)?.value ?? 0),
  }));
  const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
  const axis = ticksTo(Math.max(1, ...lines.map(({ values }) => total(values))));
  const x = (value: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * value) / (axis.at(-1) ?? 1);
  const bottom = top + HEAD + lines.length * STEP;
  return [
    write(16, top + 16, panel.title, ' font-weight="bold"'),
    ...(panel.parts.length > 1 ? legend(panel.parts, top + 16) : []),
    ...axis.flatMap((value) => [
      `<line class="grid" x1="${x(value).toFixed(1)}" x2="${x(value).toFixed(1)}" y1="${top + HEAD - 6}" y2="${bottom}"/>`,
      write(x(value), bottom + 16, value.toLocaleString('en'), ' class="dim" text-anchor="middle"'),
    ]),
    ...lines.flatMap(({ program, values }, line) => {
      const y = top + HEAD + line * STEP;
      const bars = values.map((_value, at) => {
        const from = x(total(values.slice(0, at)));
        const width = x(total(values.slice(0, at + 1))) - from;
        return `<rect class="${panel.parts[at]?.[2]}" x="${from.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR}"/>`;
      });
      const end = total(values);
      const label = `${end.toFixed(end < 100 ? 1 : 0)} ${panel.unit}`;
      return [
        write(LEFT - 8, y + 12, program, ' text-anchor="end"'),
        ...bars,
        write(x(end) + 6, y + 12, label, ' class="dim"'),
      ];
    }),
  ];
};

/** Draws CPU and memory of each program in the row `peers` as SVG, light and dark. */
export const plot = (figures: readonly Figure[]): string => {
  const programs = new Map<string, Figure[]>();
  for (const figure of figures)
    if (figure.of !== undefined) programs.set(figure.of, [...(programs.get(figure.of) ?? []), figure]);
  let top = 10;
  const drawn: string[] = [];
  for (const panel of PANELS) {
    const shown = new Map([...programs].filter(([, some]) => panel.shows(some)));
    if (shown.size === 0) continue;
    drawn.push(...draw(panel, shown, top));
    top += HEAD + shown.size * STEP + FOOT;
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" font-family="sans-serif" font-size="12">\n` +
    `<style>${STYLE}</style>\n<rect class="page" width="${WIDTH}" height="${top}"/>\n${drawn.join('\n')}\n</svg>\n`
  );
};
