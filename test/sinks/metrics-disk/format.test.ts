import { expect, it } from 'vitest';

import { CHUNK, parseHeader, sumOf, uint32BE, wholeChunks } from '../../../src/sinks/metrics-disk/format.ts';

it('the header of a disk has its numbers in network byte order', () => {
  const header = Buffer.from('6d7662640000000180000002fffffff0', 'hex');
  expect(parseHeader(header)).toEqual({ signature: 0x6d766264, busy: 1, sum: 0x80000002, length: 0xfffffff0 });
  expect(uint32BE(0x6d766264, 1, 0x80000002, 0xfffffff0).equals(header)).toBe(true);
});

it.each([
  [0, 0],
  [1, CHUNK],
  [CHUNK, CHUNK],
  [CHUNK + 1, 2 * CHUNK],
])('the size of a disk is whole chunks: %d bytes become %d', (size, whole) => {
  expect(wholeChunks(size)).toBe(whole);
});

it('the checksum is the sum of the bytes from one place to another, modulo 2^32', () => {
  expect(sumOf(Uint8Array.of(1, 2, 250, 4), 1, 3)).toBe(252);
  expect(sumOf(Uint8Array.of(1), 1, 1)).toBe(0);
  // Beyond 2^31 and 2^32.
  const bytes = new Uint8Array(17_000_000).fill(255);
  expect(sumOf(bytes, 0, 9_000_000)).toBe(2_295_000_000);
  expect(sumOf(bytes, 0, 17_000_000)).toBe(4_335_000_000 - 2 ** 32);
});
