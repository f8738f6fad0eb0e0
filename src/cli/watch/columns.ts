import { bars, bytes, compact, percent, printable } from './format.ts';
import { HISTORY, type Extra, type Row } from './row.ts';
import type { Names } from '../../client/follow-disk.ts';
import type { Sort } from './view.ts';

/** Style of the table. */
export interface Style {
  /** True if block characters may be used. */
  readonly unicode: boolean;
  /** Known names of domains. */
  readonly names?: Names;
  /** True for a column of bars. */
  readonly history?: boolean;
}

/** One column: its title, its width in cells, and the text of each row. */
export interface Column {
  readonly title: string;
  readonly width: number;
  readonly left?: boolean;
  readonly sort?: Sort;
  readonly cell: (row: Row, width: number) => string;
}

const UUID = 36;
const SHORT_UUID = 8;
const FEWEST_BARS = 8;

// Share of a full bar: all virtual CPUs busy. If their number is unknown: one CPU, or the highest share in the history.
const fullOf = ({ cpus, history }: Row): number =>
  cpus !== undefined && cpus >= 1 ? 100 * cpus : Math.max(100, ...history);

const extraColumn = (extra: Extra, { unicode }: Style): Column => {
  const { name, unit, memory, counter } = extra;
  const suffix = counter ? '/s' : memory || unit === '' ? '' : printable(unit, 3, unicode);
  const title = printable(name, 12, unicode);
  const cell = (row: Row): string => {
    const value = row.extras.get(name);
    const number = memory ? bytes(value) : compact(value);
    return number === '-' ? number : number + suffix;
  };
  return { title, width: Math.max(6 + suffix.length, title.length), cell };
};

const longest = (rows: readonly Row[]): number => rows.reduce((most, { id }) => Math.max(most, id.length), 0);

/** Returns the columns that fit a width: the standard ones, then extras of the configuration, then more history. */
export const columnsFor = (
  width: number,
  { rows, extras }: { readonly rows: readonly Row[]; readonly extras: readonly Extra[] },
  style: Style,
): readonly Column[] => {
  const { unicode, names = new Map<string, string>(), history: withHistory = true } = style;
  const some = (has: (row: Row) => boolean): boolean => rows.some(has);
  const nameOf = ({ uuid }: Row): string | undefined => names.get(uuid);
  const named = some((row) => nameOf(row) !== undefined);
  const id: Column = {
    title: 'ID',
    width: Math.max(3, Math.min(8, longest(rows))),
    sort: 'id',
    cell: (row, cells) => printable(row.id, cells, unicode),
  };
  const who: Column = {
    title: named ? 'NAME' : 'UUID',
    width: named ? 16 : SHORT_UUID,
    left: true,
    cell: (row, cells) => {
      const name = nameOf(row);
      if (name !== undefined) return printable(name, cells, unicode);
      // The first digits of a UUID identify a domain, so it is cut without an ellipsis.
      return cells < UUID ? printable(row.uuid, UUID, unicode).slice(0, cells) : printable(row.uuid, cells, unicode);
    },
  };
  const cpu: Column = { title: 'CPU%', width: 6, sort: 'cpu', cell: (row) => percent(row.cpu) };
  const history: Column = {
    title: 'HISTORY',
    width: FEWEST_BARS,
    cell: (row, cells) => bars(row.history, fullOf(row), cells, unicode),
  };
  // In a narrow terminal the last ones are dropped first.
  const wanted: Column[] = [id, who, cpu, ...(withHistory ? [history] : [])];
  if (some(({ memory }) => memory !== undefined))
    wanted.push({ title: 'MEM', width: 5, sort: 'memory', cell: (row) => bytes(row.memory) });
  if (some(({ memoryMaximum }) => memoryMaximum !== undefined))
    wanted.push({ title: 'MAX', width: 5, cell: (row) => bytes(row.memoryMaximum) });
  if (some(({ steal }) => steal !== undefined))
    wanted.push({ title: 'STEAL%', width: 7, sort: 'steal', cell: (row) => percent(row.steal) });
  if (some(({ cpus }) => cpus !== undefined))
    wanted.push({ title: 'CPUS', width: 4, cell: (row) => compact(row.cpus) });
  wanted.push(...extras.map((extra) => extraColumn(extra, style)));
  let left = width + 1;
  const fitting = wanted.filter((column) => {
    const fits = column.width + 1 <= left;
    if (fits) left -= column.width + 1;
    return fits;
  });
  const wider = (column: Column, most: number): Column => {
    const more = Math.max(0, Math.min(left, most - column.width));
    left -= more;
    return { ...column, width: column.width + more };
  };
  const widest = named ? 32 : UUID;
  const room = (column: Column): Column => {
    if (column === who && (named || left >= UUID - SHORT_UUID)) return wider(column, widest);
    return column === history ? wider(column, HISTORY) : column;
  };
  return fitting.map(room);
};
