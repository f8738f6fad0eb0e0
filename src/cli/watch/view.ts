import type { Names } from '../../client/follow-disk.ts';
import type { Model } from './model.ts';
import type { Row } from './row.ts';

export const SORTS = ['cpu', 'memory', 'steal', 'id'] as const;
export type Sort = (typeof SORTS)[number];
/** Default sort order. */
export const USUAL_SORT: Sort = 'cpu';

/** The visible part of the table and its order. */
export interface View {
  readonly sort: Sort;
  readonly reverse: boolean;
  /** Index of the first visible row. */
  readonly top: number;
}

/** The view at the start: busiest domain first. */
export const FIRST_VIEW: View = { sort: 'cpu', reverse: false, top: 0 };

const LETTERS: ReadonlyMap<string, Sort> = new Map([
  ['c', 'cpu'],
  ['m', 'memory'],
  ['s', 'steal'],
  ['n', 'id'],
]);

/** Limits `top`, so that the page is full if there are enough rows. */
export const clampTop = (top: number, rows: number, page: number): number =>
  Math.max(0, Math.min(top, rows - Math.max(1, page)));

const neighbour = (sort: Sort, step: number): Sort =>
  SORTS[(SORTS.indexOf(sort) + step + SORTS.length) % SORTS.length] ?? sort;

/** Returns the view after a key; the same object if the key has no meaning. `page`: number of visible rows. */
export const press = (view: View, key: string, rows: number, page: number): View => {
  const sorted = (sort: Sort): View => ({ sort, reverse: sort === view.sort && view.reverse, top: 0 });
  const scrolled = (by: number): View => {
    const top = clampTop(clampTop(view.top, rows, page) + by, rows, page);
    return top === view.top ? view : { ...view, top };
  };
  const letter = LETTERS.get(key);
  if (letter !== undefined) return sorted(letter);
  switch (key) {
    case 'left':
      return sorted(neighbour(view.sort, -1));
    case 'right':
      return sorted(neighbour(view.sort, 1));
    case 'r':
      return { ...view, reverse: !view.reverse, top: 0 };
    case 'up':
      return scrolled(-1);
    case 'down':
      return scrolled(1);
    case 'pageup':
      return scrolled(-Math.max(1, page));
    case 'pagedown':
    case 'space':
      return scrolled(Math.max(1, page));
    case 'home':
      return scrolled(-rows);
    case 'end':
      return scrolled(rows);
    default:
      return view;
  }
};

const VALUES: Readonly<Record<Exclude<Sort, 'id'>, (row: Row) => number | undefined>> = {
  cpu: ({ cpu }) => cpu,
  memory: ({ memory, memoryMaximum }) => memory ?? memoryMaximum,
  steal: ({ steal }) => steal,
};

const text = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

const byId = (one: Row, other: Row): number => Number(one.id) - Number(other.id) || text(one.uuid, other.uuid);

const byName =
  (names: Names) =>
  (one: Row, other: Row): number => {
    const [name, otherName] = [names.get(one.uuid), names.get(other.uuid)];
    return name === undefined || otherName === undefined ? byId(one, other) : text(name, otherName);
  };

/** Returns the requested sort order if any row has a value for it, else the first for which one has. */
export const sortableBy = ({ rows, collections }: Model, asked: Sort): Sort => {
  // Shares of CPU need two documents.
  if (collections < 2) return asked;
  const has = (sort: Sort): boolean =>
    sort === 'id' || [...rows.values()].some((row) => Number.isFinite(VALUES[sort](row)));
  return [asked, ...SORTS].find(has) ?? 'id';
};

/** Explains that the rows are not sorted as requested; undefined if they are. */
export const sortNote = (model: Model, asked: Sort): string | undefined => {
  const by = sortableBy(model, asked);
  if (by === asked || model.rows.size === 0) return undefined;
  return `no metric here tells ${asked}, so by ${by}`;
};

/** Sorts rows by the view: largest value first, ids and names ascending, rows without a value last. */
export const sortedRows = (
  model: Model,
  { sort: asked, reverse }: Pick<View, 'sort' | 'reverse'>,
  names: Names = new Map(),
): readonly Row[] => {
  const sort = sortableBy(model, asked);
  const sign = reverse ? -1 : 1;
  const all = [...model.rows.values()];
  if (sort === 'id') {
    const compare = byName(names);
    return all.sort((one, other) => sign * compare(one, other));
  }
  const value = VALUES[sort];
  const known = all.filter((row) => Number.isFinite(value(row)));
  const unknown = all.filter((row) => !Number.isFinite(value(row)));
  known.sort((one, other) => sign * ((value(other) ?? 0) - (value(one) ?? 0)) || byId(one, other));
  return [...known, ...unknown.sort(byId)];
};
