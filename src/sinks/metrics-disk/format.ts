/** `mvbd`: the first 4 bytes of a metrics disk. All numbers of its header are big-endian uint32. */
export const SIGNATURE = 0x6d766264;
export const BUSY_OFFSET = 4;
export const SUM_OFFSET = 8;
/** Where the content starts. */
export const HEADER_SIZE = 16;
/** A disk is a whole number of chunks, because readers read whole chunks past the page cache. */
export const CHUNK = 65_536;
/** Readers demand that the length of the content is at most the size of the disk less this. */
export const RESERVED = 24;

export interface Header {
  readonly signature: number;
  readonly busy: number;
  readonly sum: number;
  readonly length: number;
}

/** Reads the header off the first 16 bytes of a disk. */
export const parseHeader = (bytes: Buffer): Header => ({
  signature: bytes.readUInt32BE(0),
  busy: bytes.readUInt32BE(BUSY_OFFSET),
  sum: bytes.readUInt32BE(SUM_OFFSET),
  length: bytes.readUInt32BE(12),
});

/** Big-endian uint32 numbers in a row, as the header has them. */
export const words = (...numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => bytes.writeUInt32BE(number, 4 * index));
  return bytes;
};

/** The sum of the bytes from `start` to `end`, unsigned, modulo 2^32. */
export const sumOf = (bytes: Uint8Array, start: number, end: number): number => {
  let sum = 0;
  for (let at = start; at < end; at += 1) sum = (sum + (bytes[at] ?? 0)) | 0;
  return sum >>> 0;
};

/** Rounds a size in bytes up to whole chunks. */
export const wholeChunks = (size: number): number => Math.ceil(size / CHUNK) * CHUNK;
