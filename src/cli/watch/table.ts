import { formatCount } from '../../model/count.ts';
import { columnsFor, type Column, type Style } from './columns.ts';
import { bytes, compact, DRAWN, percent, printable } from './format.ts';
import type { Host, Model } from './model.ts';
import type { Row } from './row.ts';
import type { Quantity } from '../../model/statistics.ts';
import { clampTop, sortableBy, sortedRows, sortNote, type View } from './view.ts';

/** Style of a line. */
export type Look = 'plain' | 'strong' | 'title' | 'alarm';

/** One line, exactly as wide as the terminal. Only printable ASCII and the characters of `DRAWN`. */
export interface Line {
  readonly text: string;
  readonly look: Look;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Status line; `bad`: it reports a problem. */
export interface State {
  readonly text: string;
  readonly bad: boolean;
}

/** Lines of a frame besides rows: host, status, titles, footer. */
const FRAME = 4;

/** Returns the number of rows that fit on a screen. */
export const pageOf = ({ rows }: Size): number => Math.max(0, rows - FRAME);

const UNDRAWABLE = new RegExp(`[^ -~${DRAWN}]`, 'g');

const drawable = (text: string): string => text.replace(UNDRAWABLE, '?');

const fit = (text: string, width: number): string => drawable(text).slice(0, width).padEnd(width);

const parts = (all: readonly (string | undefined)[], width: number): string => {
  const known = all.filter((part) => part !== undefined);
  const fitting = known.filter((_part, index) => known.slice(0, index + 1).join('  ').length <= width);
  return fitting.join('  ');
};

/** Formats the line of the host: name, CPU, load and memory. */
export const hostLine = (host: Host, width: number, unicode: boolean): string => {
  const get = (quantity: Quantity): number | undefined => host.numbers.get(quantity);
  const cpus = get('cpus');
  const cpu = host.cpu === undefined ? undefined : `CPU ${percent(host.cpu)}%`;
  const of = cpus === undefined ? '' : ` of ${compact(cpus)}`;
  const loads = [get('load1'), get('load5'), get('load15')].filter((load) => load !== undefined);
  const total = get('memoryTotal');
  const used = get('memoryUsed');
  const free = get('memoryAvailable') ?? get('memoryFree');
  return parts(
    [
      host.name === undefined ? 'Host' : printable(host.name, Math.min(64, Math.ceil(width / 2)), unicode),
      cpu === undefined ? (cpus === undefined ? undefined : `${compact(cpus)} CPUs`) : cpu + of,
      loads.length === 0 ? undefined : `load ${loads.map(compact).join(' ')}`,
      free === undefined ? undefined : `memory free ${bytes(free)}${total === undefined ? '' : ` of ${bytes(total)}`}`,
      used === undefined ? undefined : `used ${bytes(used)}`,
    ],
    width,
  );
};

const padded = ({ left = false, width }: Column, text: string): string =>
  left ? text.padEnd(width) : text.padStart(width);

const joined = (columns: readonly Column[], cell: (column: Column) => string): string =>
  columns.map((column) => padded(column, cell(column))).join(' ');

// Numbers are never truncated: that would show another number.
const cellOf =
  (row: Row) =>
  (column: Column): string => {
    const text = column.cell(row, column.width);
    return text.length > column.width ? '#'.repeat(column.width) : text;
  };

const titles = (
  columns: readonly Column[],
  { sort, reverse }: Pick<View, 'sort' | 'reverse'>,
  unicode: boolean,
): string =>
  joined(columns, ({ title, sort: by, width }) => {
    if (by !== sort) return title.slice(0, width);
    // Without arrows the footer shows the direction.
    const mark = !unicode ? '*' : (sort === 'id') === reverse ? '↓' : '↑';
    return `${mark}${title}`.slice(0, width);
  });

const footer = (first: number, shown: number, model: Model, { sort, reverse }: View, width: number): string => {
  const all = model.rows.size;
  const range =
    shown < all
      ? `${formatCount(first + 1)}-${formatCount(first + shown)} of ${formatCount(all)} VMs`
      : `${formatCount(all)} ${all === 1 ? 'VM' : 'VMs'}`;
  return parts(
    [
      range,
      `${sortNote(model, sort) ?? `by ${sort}`}${reverse ? ' reversed' : ''}`,
      'q quit',
      'c m s n sort',
      'r reverse',
      'arrows scroll',
    ],
    width,
  );
};

/** Draws a whole screen, with exactly as many lines as it has. Formats only the rows that fit. */
export const frame = (
  model: Model,
  view: View,
  state: State,
  { columns: width, rows: height }: Size,
  style: Style,
): readonly Line[] => {
  const line = (text: string, look: Look = 'plain'): Line => ({ text: fit(text, width), look });
  const rows = sortedRows(model, view, style.names);
  const page = pageOf({ columns: width, rows: height });
  const top = clampTop(view.top, rows.length, page);
  const shown = rows.slice(top, top + page);
  const columns = columnsFor(width, { rows, extras: model.extras }, style);
  const body = shown.map((row) => line(joined(columns, cellOf(row))));
  const blank = Array.from({ length: page - shown.length }, () => line(''));
  return [
    line(hostLine(model.host, width, style.unicode), 'strong'),
    line(printable(state.text, width, style.unicode), state.bad ? 'alarm' : 'plain'),
    line(titles(columns, { ...view, sort: sortableBy(model, view.sort) }, style.unicode), 'title'),
    ...body,
    ...blank,
    line(footer(top, shown.length, model, view, width)),
  ].slice(0, height);
};

/** Formats the table for a pipe: all rows, all columns, no history, no trailing blanks. */
export const block = (model: Model, view: Pick<View, 'sort' | 'reverse'>, style: Style): string => {
  const rows = sortedRows(model, view, style.names);
  const columns = columnsFor(Number.POSITIVE_INFINITY, { rows, extras: model.extras }, { ...style, history: false });
  const lines = rows.map((row) => joined(columns, cellOf(row)));
  return [hostLine(model.host, 10_000, style.unicode), joined(columns, ({ title }) => title), ...lines]
    .map((line) => `${drawable(line).trimEnd()}\n`)
    .join('');
};
