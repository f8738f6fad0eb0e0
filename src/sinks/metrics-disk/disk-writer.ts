import { writeSync } from 'node:fs';

import { emptyBody, withPadding } from './document-layout.ts';
import type { DocumentBuffer } from './document-layout.ts';
import { BUSY_OFFSET, HEADER_SIZE, SIGNATURE, SUM_OFFSET, uint32BE } from './format.ts';
import { CLOSING } from '../../model/metrics-xml.ts';
import { PADDING_MOST } from './checksum-padding.ts';
import type { UniqueSums } from './checksum-padding.ts';

/** pwrite(2): may write fewer bytes than requested, and returns their number; throws on an error. */
export type Pwrite = (fd: number, bytes: Uint8Array, offset: number, length: number, position: number) => number;

const ZEROS = Buffer.alloc(1 << 20);
const BUSY = uint32BE(1);
const NOT_BUSY = uint32BE(0);

/** Writes all bytes at a position of a file, in as many calls as necessary. */
export const writeAll = (pwrite: Pwrite, fd: number, bytes: Uint8Array, length: number, position: number): void => {
  for (let done = 0; done < length;) {
    const written = pwrite(fd, bytes, done, length - done, position + done);
    if (written <= 0) throw new Error('nothing could be written, and no reason was given');
    done += written;
  }
};

/** Writes zeros from one position of a file to another. */
export const writeZeros = (pwrite: Pwrite, fd: number, from: number, to: number): void => {
  for (let at = from; at < to; at += ZEROS.length) writeAll(pwrite, fd, ZEROS, Math.min(ZEROS.length, to - at), at);
};

/** Most bytes of an end: its unique white space, and the end tag on its own line. */
const END_MOST = PADDING_MOST + CLOSING.length + 1;

/** Content of a disk after an update. */
export interface Published {
  readonly body: DocumentBuffer;
  /** Checksum of the content, as in the header. */
  readonly sum: number;
  readonly bytes: number;
}

/** pwrite of this system. */
export const systemPwrite: Pwrite = writeSync;

/**
 * Writes documents to an open disk in place, each synchronously in this order: busy flag, end of the document, zeros
 * over the rest of the old document, its start, checksum and length in one write, not busy. `size`: that of the file,
 * which the first update clears to its end.
 */
export const updater = (fd: number, size: number, sums: UniqueSums, pwrite: Pwrite) => {
  let end = size - HEADER_SIZE;
  const write = (bytes: Buffer, position: number): void => writeAll(pwrite, fd, bytes, bytes.length, position);
  const release = (): void => write(NOT_BUSY, BUSY_OFFSET);

  const put = (body: DocumentBuffer): Published => {
    const padding = sums.next(body.sum);
    const content = withPadding(body, padding);
    const { length } = content;
    const old = end;
    write(BUSY, BUSY_OFFSET);
    end = Math.max(old, length);
    // The end comes first, in its own write: a reader that gets any other new part also gets this end or a later one.
    // The same write clears remains of earlier ends, with which this end could have the checksum of another.
    const cleared = Math.min(end, length + END_MOST);
    write(Buffer.concat([content.subarray(body.length)], cleared - body.length), HEADER_SIZE + body.length);
    writeZeros(pwrite, fd, HEADER_SIZE + cleared, HEADER_SIZE + old);
    write(content.subarray(0, body.length), HEADER_SIZE);
    write(uint32BE(padding.sum, length), SUM_OFFSET);
    release();
    end = length;
    return { body, sum: padding.sum, bytes: length };
  };

  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch {
      return undefined;
    }
  };

  return {
    /** Makes the file a metrics disk; readers wait until the next `put`. */
    sign: (): void => write(uint32BE(SIGNATURE, 1), 0),
    put,
    /** Clears the busy flag. */
    release,
    /** Restores the previous document after a failed `put`, else the empty one, else clears at least the busy flag. */
    putBack: (previous: DocumentBuffer | undefined): Published | undefined => {
      const restored =
        (previous === undefined ? undefined : attempt(() => put(previous))) ?? attempt(() => put(emptyBody()));
      if (restored === undefined) attempt(release);
      return restored;
    },
  };
};
