import { describe, expect, it } from 'vitest';

import { meanings } from '../../../src/cli/watch/metric-semantics.ts';
import { nextModel, NOTHING, periodOf, type Model } from '../../../src/cli/watch/model.ts';
import { HISTORY, type Row } from '../../../src/cli/watch/row.ts';
import type { Metrics } from '../../../src/client/watch-document.ts';
import { metric, sapDocument, sapHost, uuidOf, vm } from './documents.ts';

const meaningOf = meanings();

// Returns the model after these documents, whose times are in seconds.
const after = (documents: readonly (readonly [number, Metrics])[], isExact = true): Model =>
  documents.reduce((model, [at, metrics]) => nextModel(model, metrics, { at: at * 1000, isExact }, meaningOf), NOTHING);
const row = (model: Model, id = 1): Row | undefined => model.rows.get(uuidOf(id));
const one = (seconds: number, cpu: number, more: Parameters<typeof vm>[1] = {}): Metrics => ({
  host: sapHost(seconds),
  vms: [vm(1, { cpu, ...more })],
});

describe('shares of CPU', () => {
  it('need two documents', () => {
    const model = after([[0, one(0, 100)]]);
    expect(row(model)?.cpu).toBeUndefined();
    expect(model.host).not.toHaveProperty('cpu');
    expect(row(model)?.history).toEqual([]);
  });

  it('are the growth of the CPU time over the time between two documents: of one CPU for a VM, of all for the host', () => {
    const model = after([
      [0, one(0, 100)],
      [5, one(5, 107.5)],
    ]);
    expect(row(model)?.cpu).toBeCloseTo(150, 6);
    // 16 CPUs use 4 CPU seconds in each second.
    expect(model.host.cpu).toBeCloseTo(25, 6);
    expect(row(model)?.history).toHaveLength(1);
  });

  it("use the host's time where the time of writing is unknown", () => {
    const model = after(
      [
        [4.9, one(0, 100)],
        [5, one(5, 105)],
      ],
      false,
    );
    expect(row(model)?.cpu).toBeCloseTo(100, 6);
    expect(
      row(
        after(
          [
            [4.9, { host: [], vms: one(0, 100).vms }],
            [9, { host: [], vms: one(5, 105).vms }],
          ],
          false,
        ),
      )?.cpu,
    ).toBeUndefined();
  });

  it('hold while a domain comes or goes between two collections', () => {
    const documents = [
      [0, one(0, 100)],
      [5, one(5, 105)],
    ] as const;
    const model = after([...documents, [6, { host: sapHost(5), vms: [...one(5, 105).vms, vm(2, { cpu: 1 })] }]]);
    expect(row(model)?.cpu).toBeCloseTo(100, 6);
    expect(row(model)?.history).toHaveLength(1);
    expect(model.collections).toBe(2);
    const later = nextModel(
      model,
      { host: sapHost(10), vms: [vm(1, { cpu: 107.5 }), vm(2, { cpu: 3 })] },
      { at: 10_000, isExact: true },
      meaningOf,
    );
    expect(row(later)?.cpu).toBeCloseTo(50, 6);
    // Since the VM appeared.
    expect(row(later, 2)?.cpu).toBeCloseTo(50, 6);
  });

  it('of a domain that answers late are of all the time since its last answer, and its bar is corrected', () => {
    const early = after([
      [0, one(0, 100)],
      [5, one(5, 105)],
      [10, one(10, 105)],
    ]);
    expect(row(early)?.history).toEqual([100, 0]);
    const late = nextModel(early, one(10, 111), { at: 11_000, isExact: true }, meaningOf);
    expect(row(late)?.cpu).toBeCloseTo(100, 6);
    expect(row(late)?.history).toHaveLength(2);
    expect(row(late)?.history[1]).toBeCloseTo(100, 6);
  });

  it('are zero while the CPU time stands still, however long, and are right when it goes on', () => {
    const still = Array.from({ length: 20 }, (_, n) => [5 * n, one(5 * n, 100)] as const);
    expect(row(after(still))?.cpu).toBe(0);
    expect(row(after([...still, [100, one(100, 105)]]))?.cpu).toBeCloseTo(100, 6);
  });

  it('start anew when a domain does', () => {
    const restarted = { host: sapHost(10), vms: [{ ...vm(1, { cpu: 200 }), id: '9' }] };
    const model = after([
      [0, one(0, 100)],
      [5, one(5, 105)],
      [10, restarted],
    ]);
    expect(row(model)?.cpu).toBeUndefined();
    expect(row(model)?.history).toEqual([]);
    expect(
      row(
        after([
          [0, one(0, 100)],
          [5, one(5, 5)],
        ]),
      )?.cpu,
    ).toBeUndefined();
  });

  it('are kept for a while only, the newest last', () => {
    const documents = Array.from({ length: HISTORY + 5 }, (_, n) => [n, one(n, 100 + (n * n) / 1000)] as const);
    const history = row(after(documents))?.history ?? [];
    expect(history).toHaveLength(HISTORY);
    expect(history.toSorted((a, b) => a - b)).toEqual(history);
  });

  it('are computed, too, for a host without other metrics', () => {
    const bare = (cpu: number): Metrics => ({ host: [], vms: [vm(1, { cpu })] });
    const model = after([
      [0, bare(1)],
      [5, bare(2)],
      [5.05, { host: [], vms: [...bare(2).vms, vm(2, { cpu: 1 })] }],
      [10, bare(4)],
    ]);
    expect(row(model)?.cpu).toBeCloseTo(40, 6);
    expect(row(model)?.history).toHaveLength(2);
    expect(row(model, 2)).toBeUndefined();
  });
});

describe('the other figures', () => {
  it('of memory are in bytes, steal is in % of one CPU, and further numbers stand under their names', () => {
    const model = after([
      [0, sapDocument(0, 2)],
      [5, sapDocument(5, 2)],
    ]);
    expect(row(model, 2)).toMatchObject({ cpus: 4, memory: 2049 * 1024 ** 2, memoryMaximum: 8 * 1024 ** 3 });
    expect(row(model, 2)?.steal).toBeCloseTo(2, 6);
    expect(model.extras.map(({ name }) => name)).toEqual(['Backups']);
    expect(row(model, 2)?.extras.get('Backups')).toBe(1);
  });

  it('that only grow are shown per second', () => {
    const traffic = (seconds: number): Metrics => ({
      host: sapHost(seconds),
      vms: [vm(1, { more: [metric('net.*.rx.bytes', 1000 * seconds, { type: 'uint64' })] })],
    });
    const model = after([[0, traffic(0)]]);
    expect(row(model)?.extras.size).toBe(0);
    expect(
      row(nextModel(model, traffic(5), { at: 5000, isExact: true }, meaningOf))?.extras.get('net.*.rx.bytes'),
    ).toBe(1000);
  });

  it('that are no numbers are left out', () => {
    const more = ['NaN', '', ' ', '1,5', '1e999', 'x'].map((value, n) => metric(`M${n}`, value));
    const model = after([[0, { host: [], vms: [vm(1, { more: [...more, metric('S', '5', { type: 'string' })] })] }]]);
    expect(model.extras).toEqual([]);
    expect(row(model)?.extras.size).toBe(0);
  });

  it('a hostile disk may ask for a bounded number of columns only', () => {
    const more = Array.from({ length: 1000 }, (_, n) => metric(`M${n}`, n));
    expect(after([[0, { host: [], vms: [vm(1, { more })] }]]).extras).toHaveLength(64);
  });
});

describe('the period', () => {
  it('is the usual time between collections, or the default', () => {
    expect(periodOf(NOTHING, 7000)).toBe(7000);
    const documents = [0, 10, 20, 21, 30, 90].map((at) => [at, one(at, at)] as const);
    expect(periodOf(after(documents), 7000)).toBe(10_000);
  });
});
