import { mkdtempSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { VirtualTimeScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { disk$, diskReader, type DiskEvent, type Peek } from '../../src/client/follow-disk.ts';
import type { Look } from '../../src/client/read-disk.ts';

const document = (value: string): string =>
  `<metrics>\n  <metric type='string' context='host'>\n    <name>N</name>\n    <value>${value}</value>\n  </metric>\n</metrics>\n`;

const bytesOf = (text: string, { busy = 0, off = 0 } = {}): Buffer => {
  const content = Buffer.from(text, 'latin1');
  const disk = Buffer.alloc(65_536);
  disk.write('mvbd', 0, 'latin1');
  disk.writeUInt32BE(busy, 4);
  disk.writeUInt32BE(content.reduce((sum, byte) => sum + byte, 0) + off, 8);
  disk.writeUInt32BE(content.length, 12);
  content.copy(disk, 16);
  return disk;
};

let directory = '';
let file = '';
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-watch-'));
  file = path.join(directory, 'disk');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const shortly = (event: DiskEvent): string => {
  if (event.kind === 'document') return event.metrics.host[0]?.value ?? 'empty';
  return event.kind === 'trouble' ? event.message.replaceAll(file, 'DISK') : event.kind;
};

// Returns what is reported of the file, which is read every 100 ms of virtual time; the deeds happen between reads.
const follow = (until: number, deeds: readonly (readonly [number, () => void])[]): readonly string[] => {
  const scheduler = new VirtualTimeScheduler(undefined, until);
  const seen: string[] = [];
  disk$(diskReader(file), 100, scheduler).subscribe((event) => seen.push(`${scheduler.now()} ${shortly(event)}`));
  for (const [at, deed] of deeds) scheduler.schedule(deed, at);
  scheduler.flush();
  return seen;
};
const write =
  (text: string, how: Parameters<typeof bytesOf>[1] = {}) =>
  (): void =>
    writeFileSync(file, bytesOf(text, how));

describe('following a metrics disk', () => {
  it('emits its document, and each new one', () => {
    write(document('a'))();
    expect(follow(1000, [[350, write(document('b'))]])).toEqual(['0 a', '400 b']);
  });

  it('emits that it is alive when only its time changes', () => {
    write(document('a'))();
    utimesSync(file, new Date(), new Date(Date.now() - 50_000));
    expect(follow(1000, [[350, () => utimesSync(file, new Date(), new Date())]])).toEqual(['0 a', '400 alive']);
  });

  it('reports once that it is missing, and emits the document when it is back', () => {
    const missing = 'DISK cannot be read: ENOENT: no such file or directory';
    expect(
      follow(2000, [
        [350, write(document('a'))],
        [750, () => rmSync(file)],
        [1150, write(document('a'))],
      ]),
    ).toEqual([`0 ${missing}`, '400 a', `800 ${missing}`, '1200 a']);
  });

  it('notices that another file has taken its place, even with the same header', () => {
    write(document('ab'))();
    const replace = (): void => {
      const other = path.join(directory, 'other');
      // Both documents have the same sum.
      writeFileSync(other, bytesOf(document('ba')));
      renameSync(other, file);
    };
    expect(follow(1000, [[350, replace]])).toEqual(['0 ab', '400 ba']);
  });

  it('reports a long busy time, not a short one', () => {
    write(document('a'))();
    expect(
      follow(2000, [
        [250, write(document('a'), { busy: 1 })],
        [450, write(document('b'))],
        [850, write(document('b'), { busy: 1 })],
        [1650, write(document('c'))],
      ]),
    ).toEqual(['0 a', '500 b', expect.stringMatching(/^1300 DISK stays busy: /), '1700 c']);
  });

  it.each([
    ['of a wrong sum', () => writeFileSync(file, bytesOf(document('b'), { off: 1 })), /^800 DISK is damaged: /],
    ['of something else', () => writeFileSync(file, 'x'.repeat(100)), /^400 DISK is not a metrics disk: /],
    ['cut off', () => truncateSync(file, 10), /^400 DISK is too short/],
    ['not well-formed', write('<metrics><metric></metrics>'), /^400 The disk holds no well-formed document: /],
    [
      'a directory',
      () => (rmSync(file), renameSync(mkdtempSync(path.join(directory, 'd')), file)),
      /^400 DISK is not a metrics disk/,
    ],
  ])('says once that it is %s, and goes on when it is mended', (_what, damage, message) => {
    write(document('a'))();
    const mend = (): void => {
      rmSync(file, { recursive: true });
      write(document('c'))();
    };
    expect(
      follow(3000, [
        [350, damage],
        [2050, mend],
      ]),
    ).toEqual(['0 a', expect.stringMatching(message), '2100 c']);
  });
});

describe('when a document was written', () => {
  const look: Look = { kind: 'content', content: Buffer.from(document('a')) };
  // Returns the times of the documents, in milliseconds.
  const times = (peeks: readonly Peek[], poll = 100): readonly unknown[] => {
    const scheduler = new VirtualTimeScheduler(undefined, poll * (peeks.length - 1));
    const seen: unknown[] = [];
    let next = 0;
    const peek = (): Peek => peeks[next++] ?? { ok: false, message: 'end' };
    disk$({ peek, look: () => look }, poll, scheduler).subscribe((event) => {
      if (event.kind === 'document') seen.push([event.at, event.isExact]);
    });
    scheduler.flush();
    return seen;
  };

  it('is the time of the file', () => {
    expect(times([{ ok: true, key: 'a', written: { mtime: 1, age: 4000 } }])).toEqual([[-4000, true]]);
  });

  it('is after the previous read, whatever the clocks say', () => {
    const seen = times([
      { ok: true, key: 'a', written: { mtime: 1, age: 0 } },
      { ok: true, key: 'b', written: { mtime: 2, age: 1e9 } },
      { ok: true, key: 'c', written: { mtime: 3, age: -1e9 } },
    ]);
    expect(seen).toEqual([
      [0, true],
      [0, true],
      [200, true],
    ]);
  });

  it('is unknown for a device at first, and after a time without reads', () => {
    const device = (key: string): Peek => ({ ok: true, key });
    expect(times([device('a'), device('b')])).toEqual([
      [0, false],
      [100, true],
    ]);
    expect(times([device('a'), device('b')], 60_000)).toEqual([
      [0, false],
      [60_000, false],
    ]);
  });
});
