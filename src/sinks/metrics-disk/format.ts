/** `mvbd`: the first 4 bytes of a metrics disk. All numbers of its header are big-endian uint32. */
export const SIGNATURE = 0x6d766264;
export const BUSY_OFFSET = 4;
export const SUM_OFFSET = 8;
/** Offset of the content. */
export const HEADER_SIZE = 16;
/** The size of a disk is a multiple of this, because readers bypass the page cache and read whole chunks. */
export const CHUNK = 65_536;
/** Readers require that the content is at least this much shorter than the disk. */
export const RESERVED = 24;

export interface Header {
  readonly signature: number;
  readonly busy: number;
  readonly sum: number;
  readonly length: number;
}

/** Parses the header in the first 16 bytes of a disk. */
export const parseHeader = (bytes: Buffer): Header => ({
  signature: bytes.readUInt32BE(0),
  busy: bytes.readUInt32BE(BUSY_OFFSET),
  sum: bytes.readUInt32BE(SUM_OFFSET),
  length: bytes.readUInt32BE(12),
});

/** Encodes numbers as big-endian uint32, as in the header. */
export const uint32BE = (...numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => bytes.writeUInt32BE(number, 4 * index));
  return bytes;
};

/** Returns the checksum: the sum of the bytes from `start` to `end`, modulo 2^32. */
export const sumOf = (bytes: Uint8Array, start: number, end: number): number => {
  let sum = 0;
  for (let at = start; at < end; at += 1) sum = (sum + (bytes[at] ?? 0)) | 0;
  return sum >>> 0;
};

/** Rounds a size in bytes up to whole chunks. */
export const wholeChunks = (size: number): number => Math.ceil(size / CHUNK) * CHUNK;
