import { describe, expect, it } from 'vitest';

import { uniqueSums } from '../../../src/sinks/metrics-disk/checksum-padding.ts';
import { updater, writeAll, writeZeros } from '../../../src/sinks/metrics-disk/disk-writer.ts';
import type { Pwrite } from '../../../src/sinks/metrics-disk/disk-writer.ts';
import { compose } from '../../../src/sinks/metrics-disk/document-layout.ts';
import { parseHeader, sumOf } from '../../../src/sinks/metrics-disk/format.ts';

/** A file in memory, which takes at most `most` bytes of each write and fails where `fails` returns true. */
const memory = (size: number, { most = Infinity, fails = (_position: number): boolean => false } = {}) => {
  const content = Buffer.alloc(size, 'o');
  const positions: number[] = [];
  const pwrite: Pwrite = (fd, bytes, offset, length, position) => {
    positions.push(position);
    if (fd !== 7 || position + length > size || fails(position)) throw new Error('EIO: i/o error, write');
    const part = bytes.subarray(offset, offset + Math.min(length, most));
    content.set(part, position);
    return part.length;
  };
  return { content, positions, pwrite };
};

describe('writes of a disk', () => {
  it('go on where a shorter one has ended', () => {
    const { content, positions, pwrite } = memory(10, { most: 2 });
    writeAll(pwrite, 7, Buffer.from('12345more'), 5, 3);
    expect(content.toString()).toBe('ooo12345oo');
    expect(positions).toEqual([3, 5, 7]);
  });

  it.each([0, -1])('fail, and do not repeat for ever, if the system has written %d bytes', (written) => {
    expect(() => writeAll(() => written, 7, Buffer.from('1'), 1, 0)).toThrow(
      'nothing could be written, and no reason was given',
    );
  });

  it('of zeros have exactly the length that is left', () => {
    const { content, pwrite, positions } = memory(3 << 20);
    writeZeros(pwrite, 7, 5, (2 << 20) + 6);
    expect([content.indexOf(0), content.lastIndexOf(0)]).toEqual([5, (2 << 20) + 5]);
    expect(positions).toHaveLength(3);
    writeZeros(pwrite, 7, 2, 2);
    expect(positions).toHaveLength(3);
  });
});

describe('an update of a disk', () => {
  const documentOf = (content: Buffer): string => {
    const { signature, busy, sum, length } = parseHeader(content);
    expect([signature, busy]).toEqual([0x6d766264, 0]);
    expect(sumOf(content, 16, 16 + length)).toBe(sum);
    expect(content.subarray(16 + length).every((byte) => byte === 0)).toBe(true);
    return content.toString('latin1', 16, 16 + length).replaceAll(/[ \t]+\n/g, '\n');
  };
  const body = (text: string) => compose([`${text}\n`], Buffer.alloc(0));
  const written = (text: string): string => `<metrics>\n${text}\n</metrics>\n`;

  it('clears the rest of the file the first time, and what the document before has left later', () => {
    const { content, positions, pwrite } = memory(4096);
    const { sign, put } = updater(7, 4096, uniqueSums(), pwrite);
    sign();
    expect(content.toString('hex', 0, 8)).toBe('6d76626400000001');
    const { sum, bytes } = put(body('x'.repeat(1000)));
    expect(documentOf(content)).toBe(written('x'.repeat(1000)));
    expect(parseHeader(content)).toMatchObject({ sum, length: bytes });
    for (const text of ['y', 'z'.repeat(500), 'a'.repeat(499), 'b'.repeat(3000)]) {
      positions.length = 0;
      put(body(text));
      expect(documentOf(content)).toBe(written(text));
      // Nothing behind the longer document and its longest possible end is written again.
      expect(Math.max(...positions)).toBeLessThan(16 + Math.max(text.length, 1000) + 250);
    }
  });

  it('that fails can be taken back: to the document before, else to the empty one, else only not busy', () => {
    let failing = (_position: number): boolean => false;
    const { content, pwrite } = memory(4096, { fails: (position) => failing(position) });
    const { sign, put, putBack } = updater(7, 4096, uniqueSums(), pwrite);
    sign();
    const { body: before } = put(body('before'));
    expect(putBack(before)?.body).toBe(before);
    expect(documentOf(content)).toBe(written('before'));
    expect(putBack(undefined)).toBeDefined();
    expect(documentOf(content)).toBe('<metrics>\n</metrics>\n');
    failing = (position) => position === 16;
    expect(() => put(body('after'))).toThrow('EIO');
    expect(parseHeader(content).busy).toBe(1);
    expect(putBack(before)).toBe(undefined);
    expect(parseHeader(content).busy).toBe(0);
    failing = () => true;
    expect(putBack(before)).toBe(undefined);
    failing = () => false;
    put(body('after'));
    expect(documentOf(content)).toBe(written('after'));
  });
});
