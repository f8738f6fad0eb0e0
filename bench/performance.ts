import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { repositoryFile } from './daemon.ts';
import { plot } from './plot.ts';
import type { Figure } from './row.ts';
import { goal, machine, met, number, type Outcome } from './table.ts';

/** The row of docs/performance.json. */
export interface Measured extends Outcome {
  /** Day of the measurement, as YYYY-MM-DD. */
  readonly date: string;
}

/** The content of docs/performance.json. */
export interface Performance {
  readonly machine: Readonly<Record<string, string>>;
  readonly rows: readonly Measured[];
}

const DATA = 'docs/performance.json';
const PAGE = 'docs/performance.md';
const PLOT = 'docs/performance.svg';

/** Replaces the rows that were measured now, in the given order; rows of another machine or software are dropped. */
export const merge = (former: Performance | undefined, now: Performance, order: readonly string[]): Performance => {
  const same = JSON.stringify(former?.machine) === JSON.stringify(now.machine);
  const rows = new Map([...(same ? (former?.rows ?? []) : []), ...now.rows].map((row) => [row.row, row]));
  return { machine: now.machine, rows: order.flatMap((name) => rows.get(name) ?? []) };
};

const markdown = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...lines]
    // Markdown reads <stat> as an element.
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('<', '&lt;')).join(' | ')} |\n`)
    .join('');

const COLUMNS = ['CPU of its own', 'CPU of its processes', 'CPU of libvirtd', 'wall time', 'RSS', 'PSS'];

const peersTable = (figures: readonly Figure[]): string => {
  const programs = [...new Set(figures.flatMap(({ of: program }) => program ?? []))];
  const cell = (program: string, column: string): string => {
    const figure = figures.find(({ of, what }) => of === program && what === column);
    return figure === undefined ? '' : number(figure.value, figure.unit);
  };
  return markdown(
    ['program', ...COLUMNS],
    programs.map((program) => [program, ...COLUMNS.map((column) => cell(program, column))]),
  );
};

const figureLine = (row: string, figure: Figure): readonly string[] => [
  row,
  figure.what,
  number(figure.value, figure.unit),
  goal(figure).replace('<=', '≤'),
  met(figure).toLowerCase(),
  figure.count === undefined ? '' : String(figure.count),
];

/** Returns the generated parts of docs/performance.md by the name of their marker. */
export const tables = ({ machine: facts, rows }: Performance): ReadonlyMap<string, string> => {
  const peers = rows.find(({ row }) => row === 'peers')?.telemetry ?? [];
  const drawn = peers.length === 0 ? '' : `![CPU and memory of each program](${PLOT.replace('docs/', '')})\n\n`;
  return new Map([
    ['machine', markdown(Object.keys(facts), [Object.values(facts)])],
    ['peers', peers.length === 0 ? '*Not measured.*\n' : drawn + peersTable(peers)],
    [
      'figures',
      markdown(
        ['row', 'figure', 'measured', 'goal', '', 'n'],
        rows.flatMap(({ row, telemetry }) =>
          // The others are in the table of the programs.
          telemetry.filter(({ of: program }) => program === undefined).map((figure) => figureLine(row, figure)),
        ),
      ),
    ],
    [
      'rows',
      markdown(
        ['row', 'measures', 'date', 'load'],
        rows.map(({ row, about, date, load }) => [row, about, date, load.toFixed(2)]),
      ),
    ],
  ]);
};

/** Replaces the text between the markers of a page. */
export const filled = (page: string, parts: ReadonlyMap<string, string>): string =>
  page.replace(
    /(<!-- (\w+): begin -->\n)[^]*?(?=<!-- \2: end -->)/g,
    (whole, begin: string, name: string) => begin + (parts.get(name) ?? whole.slice(begin.length)),
  );

const rounded = (figure: Figure): Figure => ({ ...figure, value: Number(figure.value.toPrecision(6)) });

/** Writes the figures, the tables and the plot in docs. */
export const writePerformance = (outcomes: readonly Outcome[], order: readonly string[]): void => {
  const date = new Date().toISOString().slice(0, 10);
  const rows = outcomes
    .filter(({ failure }) => failure === undefined)
    .map((outcome) => ({ ...outcome, date, telemetry: outcome.telemetry.map(rounded) }));
  const data = repositoryFile(DATA);
  const former = existsSync(data) ? (JSON.parse(readFileSync(data, 'utf8')) as Performance) : undefined;
  const performance = merge(former, { machine: machine(), rows }, order);
  writeFileSync(data, `${JSON.stringify(performance, null, 2)}\n`);
  const page = repositoryFile(PAGE);
  writeFileSync(page, filled(readFileSync(page, 'utf8'), tables(performance)));
  const peers = performance.rows.find(({ row }) => row === 'peers');
  if (peers !== undefined) writeFileSync(repositoryFile(PLOT), plot(peers.telemetry));
};
