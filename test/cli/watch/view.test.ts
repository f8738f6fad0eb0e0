import { describe, expect, it } from 'vitest';

import { meanings } from '../../../src/cli/watch/metric-semantics.ts';
import { nextModel, NOTHING } from '../../../src/cli/watch/model.ts';
import { frame } from '../../../src/cli/watch/table.ts';
import {
  FIRST_VIEW,
  press,
  sortableBy,
  sortedRows,
  sortNote,
  type Sort,
  type View,
} from '../../../src/cli/watch/view.ts';
import { sapDocument, uuidOf, vm } from './documents.ts';

const pressed = (keys: readonly string[], rows = 100, page = 20, view: View = FIRST_VIEW): View =>
  keys.reduce((now, key) => press(now, key, rows, page), view);

describe('keys', () => {
  it.each([
    ['c', 'cpu'],
    ['m', 'memory'],
    ['s', 'steal'],
    ['n', 'id'],
    ['right', 'memory'],
    ['left', 'id'],
  ])('%s sorts by %s', (key, sort) => {
    expect(pressed([key]).sort).toBe(sort);
  });

  it('r turns the order around, and another column starts with its own', () => {
    expect(pressed(['r']).reverse).toBe(true);
    expect(pressed(['r', 'r']).reverse).toBe(false);
    expect(pressed(['r', 'c']).reverse).toBe(true);
    expect(pressed(['r', 'm']).reverse).toBe(false);
  });

  it.each([
    [['down', 'down'], 2],
    [['up'], 0],
    [['pagedown', 'up'], 19],
    [['space', 'space'], 40],
    [['end'], 80],
    [['end', 'down', 'pageup'], 60],
    [['end', 'home'], 0],
    [['pagedown', 'm'], 0],
  ])('%j scroll to row %i of 100, 20 of which are drawn', (keys, top) => {
    expect(pressed(keys).top).toBe(top);
  });

  it('scroll nothing where all rows are drawn', () => {
    expect(pressed(['down', 'pagedown', 'end'], 3).top).toBe(0);
    expect(pressed(['down', 'end'], 3, 0).top).toBe(2);
  });

  it('that mean nothing leave the same view', () => {
    for (const key of ['x', '', 'f1', '__proto__', 'constructor', 'up'])
      expect(press(FIRST_VIEW, key, 9, 3)).toBe(FIRST_VIEW);
  });

  it('go on from what is drawn when domains have gone', () => {
    expect(press({ ...FIRST_VIEW, top: 500 }, 'up', 100, 20).top).toBe(79);
  });
});

describe('the order of the rows', () => {
  const documents = [0, 5].map((seconds) => {
    const document = sapDocument(seconds, 7);
    return { ...document, vms: [...document.vms, vm(8, {})] };
  });
  const meaningOf = meanings();
  const model = documents.reduce(
    (now, metrics, n) => nextModel(now, metrics, { at: 5000 * n, isExact: true }, meaningOf),
    NOTHING,
  );
  const ids = (sort: Sort, reverse = false, names?: ReadonlyMap<string, string>): string =>
    sortedRows(model, { sort, reverse }, names)
      .map(({ id }) => id)
      .join(' ');

  it.each([
    ['cpu', false, '6 5 4 3 2 1 7 '],
    ['cpu', true, '7 1 2 3 4 5 6 '],
    ['memory', false, '7 6 5 4 3 2 1 '],
    ['steal', false, '2 5 1 4 7 3 6 '],
  ] as const)('by %s (reversed: %s) puts what has no value last', (sort, reverse, order) => {
    expect(ids(sort, reverse)).toBe(`${order}8`);
  });

  it('by id is numeric, by name alphabetic', () => {
    expect(ids('id')).toBe('1 2 3 4 5 6 7 8');
    expect(ids('id', true)).toBe('8 7 6 5 4 3 2 1');
    const names = new Map(Array.from({ length: 8 }, (_, n) => [uuidOf(n + 1), 'hgfedcba'[n] ?? '']));
    expect(ids('id', false, names)).toBe('8 7 6 5 4 3 2 1');
  });

  it('CASE E9: is by what there is where the metric that is asked for is missing, and says so', () => {
    // The documents without the metric steal.
    const less = documents.map((document) => ({
      ...document,
      vms: document.vms.map((one) => ({ ...one, metrics: one.metrics.filter(({ name }) => !/steal/i.test(name)) })),
    }));
    const without = less.reduce(
      (now, metrics, n) => nextModel(now, metrics, { at: 5000 * n, isExact: true }, meaningOf),
      NOTHING,
    );
    expect(sortableBy(model, 'steal')).toBe('steal');
    expect(sortNote(model, 'steal')).toBeUndefined();
    expect(sortableBy(without, 'steal')).toBe('cpu');
    expect(sortedRows(without, { sort: 'steal', reverse: false }).map(({ id }) => id)).toEqual(
      sortedRows(without, { sort: 'cpu', reverse: false }).map(({ id }) => id),
    );
    expect(sortNote(without, 'steal')).toBe('no metric here tells steal, so by cpu');
    const lines = frame(
      without,
      { ...FIRST_VIEW, sort: 'steal' },
      { text: '', bad: false },
      { columns: 120, rows: 20 },
      { unicode: false },
    );
    expect(lines.at(-1)?.text).toContain('no metric here tells steal, so by cpu');
    expect(lines[2]?.text).toContain('*CPU%');
  });
});
