import { Subject, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { DiskEvent } from '../../../src/client/follow-disk.ts';
import { meanings } from '../../../src/cli/watch/metric-semantics.ts';
import { printed$, type PlainOptions } from '../../../src/cli/watch/plain-output.ts';
import type { Size } from '../../../src/cli/watch/table.ts';
import { frame$, type Frame } from '../../../src/cli/watch/frames.ts';
import { sapDocument, uuidOf } from './documents.ts';

interface Inputs {
  readonly disk?: Readonly<Record<number, DiskEvent>>;
  readonly keys?: Readonly<Record<number, string>>;
  readonly sizes?: Readonly<Record<number, Size>>;
}

const SCREEN: Size = { columns: 60, rows: 7 };
const document = (at: number, vms = 2): DiskEvent => ({
  kind: 'document',
  metrics: sapDocument(at / 1000, vms),
  at,
  isExact: true,
});
// Returns a document every 5 seconds, by time in ms.
const documents = (until: number, vms = 2): Readonly<Record<number, DiskEvent>> =>
  Object.fromEntries(Array.from({ length: until / 5000 + 1 }, (_, n) => [n * 5000, document(n * 5000, vms)]));

const stage = (until: number) => {
  const scheduler = new VirtualTimeScheduler(undefined, until);
  const play = <T>(events: Readonly<Record<number, T>> = {}): Subject<T> => {
    const subject = new Subject<T>();
    for (const [at, event] of Object.entries(events)) scheduler.schedule(() => subject.next(event), Number(at));
    return subject;
  };
  const watched = (disk: Inputs['disk']) => ({ path: '/d', disk$: play(disk), meaningOf: meanings(), scheduler });
  return { scheduler, play, watched };
};

// Returns the frames in virtual time, as `[milliseconds, frame]`.
const frames = (
  until: number,
  { disk, keys, sizes = { 0: SCREEN } }: Inputs,
): readonly (readonly [number, Frame | 'end'])[] => {
  const { scheduler, play, watched } = stage(until);
  const seen: (readonly [number, Frame | 'end'])[] = [];
  const terminal = { key$: play(keys), size$: play(sizes), unicode: true };
  frame$(watched(disk), terminal).subscribe({
    next: (frame) => seen.push([scheduler.now(), frame]),
    complete: () => seen.push([scheduler.now(), 'end']),
  });
  scheduler.flush();
  return seen;
};
const line = (frame: Frame | 'end' | undefined, index: number): string =>
  frame === undefined || frame === 'end' ? '' : (frame.lines[index]?.text.trimEnd() ?? '');
const lines = (seen: readonly (readonly [number, Frame | 'end'])[], index: number): readonly string[] =>
  seen.map(([at, frame]) => (frame === 'end' ? `${at} end` : `${at} ${line(frame, index)}`));

describe('the screen', () => {
  it('is drawn for each new document, and else only when something is done', () => {
    const seen = frames(12_000, { disk: documents(10_000), keys: { 7000: 'm', 7100: 'x', 7200: 'f5' } });
    expect(seen.map(([at]) => at)).toEqual([0, 0, 5000, 7000, 10_000]);
  });

  it('says that it waits for the first metrics', () => {
    expect(lines(frames(1000, {}), 1)).toEqual(['0 Waiting for the first metrics (/d)']);
  });

  it('says what is wrong with the disk as long as it is wrong, and shows the last values meanwhile', () => {
    const seen = frames(30_000, {
      disk: { ...documents(5000), 7000: { kind: 'trouble', message: '/d is away' }, 29_000: document(29_000) },
    });
    expect(lines(seen, 1).slice(-3)).toEqual(['5000 /d, every 5 s', '7000 Waiting: /d is away', '29000 /d, every 5 s']);
    expect(line(seen.at(-2)?.[1], 3)).toBe(line(seen.at(-3)?.[1], 3));
  });

  it('counts the seconds without new metrics after 3 periods, until there are some', () => {
    const seen = frames(26_000, {
      disk: { ...documents(5000), 22_500: { kind: 'alive', at: 22_500 }, 25_000: document(25_000) },
    });
    expect(lines(seen, 1).slice(2)).toEqual([
      '5000 /d, every 5 s',
      '20000 No new metrics for 15 s: does vhostmd run? (/d)',
      '21000 No new metrics for 16 s: does vhostmd run? (/d)',
      '22000 No new metrics for 17 s: does vhostmd run? (/d)',
      '22500 /d, every 5 s',
      // The collections were 5 s and 20 s apart, so the period is open.
      expect.stringMatching(/^25000 \/d, every /),
    ]);
  });

  it('is drawn anew for another size, with what fits there', () => {
    const seen = frames(3000, { disk: documents(0, 50), sizes: { 0: SCREEN, 1000: { columns: 40, rows: 24 } } });
    const last = seen.at(-1)?.[1];
    expect(last).toMatchObject({ size: { columns: 40, rows: 24 } });
    expect(line(last, 23)).toContain('1-20 of 50 VMs');
    expect(lines(seen, 6).at(-2)).toContain('1-3 of 50 VMs');
  });

  it('scrolls and sorts with keys, and keeps that over documents', () => {
    const seen = frames(6000, { disk: documents(5000, 50), keys: { 1000: 'n', 2000: 'pagedown', 3000: 'down' } });
    expect(lines(seen, 6).slice(1)).toEqual([
      expect.stringContaining('0 1-3 of 50 VMs  by cpu'),
      expect.stringContaining('1000 1-3 of 50 VMs  by id'),
      expect.stringContaining('2000 4-6 of 50 VMs  by id'),
      expect.stringContaining('3000 5-7 of 50 VMs  by id'),
      expect.stringContaining('5000 5-7 of 50 VMs  by id'),
    ]);
    expect(line(seen.at(-1)?.[1], 3)).toMatch(/^ +5 /);
  });

  it('shows names when they become known', () => {
    const named = { ...document(1000), names: new Map([[uuidOf(1), 'web1']]) };
    const seen = frames(2000, { disk: { ...documents(0), 1000: named, 2000: { kind: 'alive', at: 2000 } } });
    const shown = [3, 4].flatMap((row) => lines(seen, row)).filter((text) => text.includes('web1'));
    expect(shown.map((text) => text.split(' ')[0])).toEqual(['1000', '2000']);
  });

  it('ends with q at once, and not with anything else', () => {
    const seen = frames(9000, { disk: documents(5000), keys: { 3000: 'Q', 4000: 'q', 4500: 'm' } });
    expect(seen.at(-1)).toEqual([4000, 'end']);
    expect(seen.map(([at]) => at)).toEqual([0, 0, 4000]);
  });
});

// Returns the id and the share of CPU.
const firstRow = (block: string): string => {
  const [id, , cpu] = (block.split('\n')[2] ?? '').trim().split(/ +/);
  return `${id} ${cpu}`;
};

describe('plain output', () => {
  // Returns the output, as `milliseconds first line`, `milliseconds ! trouble`, or how it ended.
  const printed = (until: number, disk: Inputs['disk'], options: Partial<PlainOptions> = {}): readonly string[] => {
    const { scheduler, watched } = stage(until);
    const seen: string[] = [];
    const say = (text: string): void => void seen.push(`${scheduler.now()} ${text}`);
    printed$(watched(disk), { unicode: false, sort: 'cpu', ...options }).subscribe({
      next: (one) => say(one.kind === 'block' ? firstRow(one.text) : `! ${one.message}`),
      error: (error: Error) => say(`error ${error.message}`),
      complete: () => say('end'),
    });
    scheduler.flush();
    return seen;
  };

  it('has a block for each document from the second on', () => {
    expect(printed(12_000, documents(10_000))).toEqual(['5000 2 100.0', '10000 2 100.0']);
  });

  it('ends after as many blocks as were asked for', () => {
    expect(printed(60_000, documents(60_000), { count: 1 })).toEqual(['5000 2 100.0', '5000 end']);
    expect(printed(60_000, documents(60_000), { count: 2 })).toEqual(['5000 2 100.0', '10000 2 100.0', '10000 end']);
  });

  it('has what can be known if no second document comes for 3 periods', () => {
    expect(printed(60_000, documents(0), { count: 1 })).toEqual([
      '15000 ! No new metrics for 15 s: does vhostmd run? (/d)',
      '15000 1 -',
      '15000 end',
    ]);
  });

  it('does not wait for a second document where the first one is old already', () => {
    const old: DiskEvent = { ...document(0), at: -60_000 } as DiskEvent;
    expect(printed(60_000, { 100: old }, { count: 1 })).toEqual([
      '100 ! No new metrics for 60 s: does vhostmd run? (/d)',
      '100 1 -',
      '100 end',
    ]);
  });

  it('fails if the disk cannot be read at the start', () => {
    expect(printed(60_000, { 0: { kind: 'trouble', message: 'away' } })).toEqual(['0 error away']);
  });

  it('says a later trouble once, and goes on', () => {
    const disk = {
      ...documents(5000),
      7000: { kind: 'trouble', message: '/d is away' } as const,
      40_000: document(40_000),
    };
    expect(printed(60_000, disk)).toEqual([
      '5000 2 100.0',
      '7000 ! Waiting: /d is away',
      '40000 2 100.0',
      expect.stringMatching(/^\d+ ! No new metrics for /),
    ]);
  });
});
