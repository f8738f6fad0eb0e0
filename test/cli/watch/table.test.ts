import { describe, expect, it } from 'vitest';

import type { Style } from '../../../src/cli/watch/columns.ts';
import type { Metrics } from '../../../src/client/watch-document.ts';
import { meanings } from '../../../src/cli/watch/metric-semantics.ts';
import { nextModel, NOTHING, type Model } from '../../../src/cli/watch/model.ts';
import { block, frame, type State } from '../../../src/cli/watch/table.ts';
import { FIRST_VIEW } from '../../../src/cli/watch/view.ts';
import { metric, sapDocument, uuidOf, vm } from './documents.ts';

const GOOD: State = { text: '/dev/shm/vhostmd0, every 5 s', bad: false };
const STYLE: Style = { unicode: true };

const modelOf = (documents: readonly Metrics[]): Model => {
  const meaningOf = meanings();
  return documents.reduce(
    (model, document, n) => nextModel(model, document, { at: n * 5000, isExact: true }, meaningOf),
    NOTHING,
  );
};
const sap = (vms: number, documents = 8): Model =>
  modelOf(Array.from({ length: documents }, (_, n) => sapDocument(5 * n, vms)));

const drawn = (
  model: Model,
  { columns = 80, rows = 24, view = FIRST_VIEW, state = GOOD, style = STYLE } = {},
): string =>
  frame(model, view, state, { columns, rows }, style)
    .map(({ text, look }) => `${text}|${look === 'plain' ? '' : ` ${look}`}\n`)
    .join('');

const golden = (name: string): string => `frames/${name}.txt`;

describe('a frame', () => {
  it.each([
    ['80x24-3-vms', {}, 3],
    ['80x24-1000-vms', {}, 1000],
    ['40x12-1000-vms', { columns: 40, rows: 12 }, 1000],
    ['140x12-1000-vms', { columns: 140, rows: 12 }, 1000],
    ['80x24-ascii', { style: { unicode: false } }, 30],
    ['80x24-scrolled', { view: { sort: 'id', reverse: true, top: 990 } }, 1000],
    [
      '80x12-silent',
      { rows: 12, state: { text: 'No new metrics for 17 s: does vhostmd run? (/dev/shm/vhostmd0)', bad: true } },
      3,
    ],
  ] as const)('is drawn as it always was: %s', async (name, options, vms) => {
    await expect(drawn(sap(vms), options)).toMatchFileSnapshot(golden(name));
  });

  it('of an empty disk, and of a disk before its first document, is drawn', async () => {
    await expect(drawn(NOTHING, { rows: 6 })).toMatchFileSnapshot(golden('80x6-nothing'));
  });

  it.each([1, 2, 3, 5, 8, 17, 39, 40, 41, 79, 80, 81, 100, 132, 200, 500])(
    'is exactly %i cells wide, and as high as the screen is',
    (columns) => {
      for (const model of [sap(3), sap(1000, 2), NOTHING])
        for (const rows of [1, 2, 4, 5, 24]) {
          const lines = frame(model, FIRST_VIEW, GOOD, { columns, rows }, STYLE);
          expect(lines).toHaveLength(rows);
          for (const { text } of lines) expect(text).toHaveLength(columns);
        }
    },
  );

  it('shows names of domains where they are known', () => {
    const names = new Map([[uuidOf(2), 'web2']]);
    const text = drawn(sap(3), { style: { unicode: true, names } });
    expect(text).toMatch(/ NAME {2,}/);
    expect(text).toMatch(/\n +2 web2 /);
    expect(text).toContain(` 1 ${uuidOf(1).slice(0, 8)}`);
  });

  it('shows further metrics of the configuration where there is room, the first of them first', () => {
    const more = ['First', 'Second', 'Third'].map((name, n) =>
      metric(name, (n + 1) * 1_234_567, { unit: ['', 'KiB', 'W'][n] ?? '' }),
    );
    const model = modelOf([{ host: [], vms: [vm(1, { cpu: 1, more })] }]);
    expect(drawn(model, { columns: 120 })).toMatch(/First +Second +Third/);
    expect(drawn(model, { columns: 120 })).toMatch(/ 1\.23M +2\.35G +3\.70MW/);
    expect(drawn(model, { columns: 40 })).not.toContain('Third');
  });
});

describe('hostile text', () => {
  const HOSTILE = [
    '\u001b[2J\u001b]0;x\u0007',
    '\r\n\t\b\u007f',
    '\u009b31m',
    '\u202e\u200b\u0301',
    '\u4f60\u597d \ud83d\ude00',
    '\ud800',
    '█▁',
  ];

  it.each(HOSTILE)('reaches no terminal and moves no column: %j', (text) => {
    const documents = [0, 5].map((seconds): Metrics => ({
      host: [metric('HostName', text, { type: 'string' })],
      vms: [
        { ...vm(1, { cpu: seconds, more: [metric(text, seconds, { unit: text })] }), id: text, uuid: text },
        { ...vm(2, { cpu: seconds }), uuid: 'u' },
      ],
    }));
    const model = modelOf(documents);
    for (const columns of [20, 40, 80, 200]) {
      const style = { unicode: true, names: new Map([['u', text]]) };
      const lines = frame(model, FIRST_VIEW, { text, bad: true }, { columns, rows: 8 }, style);
      for (const line of lines) {
        expect(line.text).toMatch(/^[ -~▁▂▃▄▅▆▇█…↓↑]*$/);
        expect(line.text).toHaveLength(columns);
      }
    }
    expect(block(model, FIRST_VIEW, { unicode: true, names: new Map([['u', text]]) })).toMatch(/^[ -~…↓\n]*$/);
  });

  it('numbers that do not fit are not shown as others', () => {
    const more = [metric('Big', '-1.7e308'), metric('Memory', '1e308', { unit: 'TiB' })];
    const text = drawn(modelOf([{ host: [], vms: [vm(1, { cpus: 1e300, now: 1e300, more })] }]), { columns: 132 });
    expect(text).toContain('#');
    expect(text).not.toMatch(/Infinity|NaN|undefined/);
  });
});

describe('the table as text', () => {
  it('has all domains and columns, aligned, without escapes or blanks at the ends of lines', async () => {
    const text = block(sap(12), FIRST_VIEW, { unicode: false });
    await expect(text).toMatchFileSnapshot(golden('plain-12-vms'));
    expect(text).not.toMatch(/ \n/);
    expect(text.trimEnd().split('\n')).toHaveLength(14);
  });
});
