import { closeSync, fstatSync, futimesSync, readSync } from 'node:fs';

import { compose, decompose, emptyBody, sameBody } from './content.ts';
import type { Body } from './content.ts';
import { reasonOf } from '../../reason.ts';
import { allocate, openFile, statPath } from './file.ts';
import type { DiskFile } from './file.ts';
import { HEADER_SIZE, parseHeader, RESERVED, SIGNATURE, sumOf } from './format.ts';
import { systemPwrite, updater } from './update.ts';
import type { Published, Pwrite } from './update.ts';
import type { UniqueSums } from './unique-sum.ts';

export interface DiskOptions {
  readonly path: string;
  /** Bytes; rounded up to whole chunks of 64 KiB. A longer file keeps its length. */
  readonly size: number;
  /** The user who, besides root, may own the file; by default the one that the daemon runs as. */
  readonly owner?: number;
  /** How to write; for tests of failing writes. */
  readonly pwrite?: Pwrite;
}

/** An open metrics disk. All is synchronous: nothing else of this process runs within an update. */
export interface Disk {
  readonly size: number;
  /** What stood there at opening. */
  readonly found: 'nothing' | 'a valid document' | 'no valid document';
  /** Whether the path names another file by now, or none. */
  readonly gone: () => boolean;
  /** Mends what others did to the file, for the next `publish` to write it anew; says what that was. */
  readonly repair: () => string | undefined;
  /** Puts a document on the disk, or only touches the file if it is there already; returns its length in bytes. */
  readonly publish: (parts: readonly string[]) => number;
  /** Leaves what is published. */
  readonly close: () => void;
}

const takeOver = ({ fd, size }: DiskFile): Published | undefined => {
  const header = Buffer.alloc(HEADER_SIZE);
  readSync(fd, header, 0, HEADER_SIZE, 0);
  const { signature, busy, sum, length } = parseHeader(header);
  if (signature !== SIGNATURE || busy !== 0 || length > size - RESERVED) return undefined;
  const content = Buffer.alloc(length);
  if (readSync(fd, content, 0, length, HEADER_SIZE) !== length || sumOf(content, 0, length) !== sum) return undefined;
  const body = decompose(content);
  return body === undefined ? undefined : { body, header, bytes: length };
};

const unusable = (path: string, error: unknown): Error =>
  new Error(`${path} cannot be written: ${reasonOf(error)}`, { cause: error });

/** Opens a metrics disk. A valid old document stays; otherwise the empty one is published at once. */
export const openDisk = (options: DiskOptions, sums: UniqueSums): Disk => {
  const { path, owner = process.geteuid?.() ?? 0, pwrite = systemPwrite } = options;
  const file = openFile(path, options.size, owner, pwrite);
  const { fd, size } = file;
  const update = updater(fd, size, sums, pwrite);
  const header = Buffer.alloc(HEADER_SIZE);
  /** What is on the disk, if that is known. */
  let published: Published | undefined;
  /** The latest good document, kept in case that the next one cannot be written. */
  let last: Body | undefined;
  let memory: Buffer = Buffer.alloc(0);

  const replace = (body: Body): void => {
    const signed = published !== undefined;
    published = undefined;
    try {
      if (!signed) update.sign();
      published = update.put(body);
      memory = last?.bytes ?? Buffer.alloc(0);
      last = body;
    } catch (error) {
      published = update.putBack(last);
      last = published?.body ?? last;
      throw unusable(path, error);
    }
  };

  const touch = (): void => {
    const now = new Date();
    try {
      futimesSync(fd, now, now);
    } catch {
      // The file may be written but belongs to another: a write that changes nothing does it, too.
      update.release();
    }
  };

  try {
    published = takeOver(file);
    last = published?.body;
    const found = file.created ? 'nothing' : published === undefined ? 'no valid document' : 'a valid document';
    if (published === undefined) replace(emptyBody());
    else sums.seen(parseHeader(published.header).sum);
    return {
      size,
      found,
      gone: () => {
        const stats = statPath(path);
        return stats === undefined || stats.dev !== file.dev || stats.ino !== file.ino;
      },
      repair: () => {
        const length = fstatSync(fd).size;
        readSync(fd, header, 0, HEADER_SIZE, 0);
        if (length >= size && (published === undefined || header.equals(published.header))) return undefined;
        published = undefined;
        allocate(pwrite, fd, size);
        return length < size ? `had been cut to ${length} bytes` : 'had been written to by something else';
      },
      publish: (parts) => {
        const body = compose(parts, memory);
        if (published === undefined || !sameBody(body, published.body)) replace(body);
        else touch();
        return published?.bytes ?? 0;
      },
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};
