import { closeSync, fstatSync, futimesSync, readSync } from 'node:fs';

import { compose, decompose, emptyBody, sameBody } from './document-layout.ts';
import type { DocumentBuffer } from './document-layout.ts';
import { ownUser } from '../../system/process/privileges.ts';
import type { Owner } from '../../system/process/privileges.ts';
import { causeOf } from '../../model/reason.ts';
import { allocate, openFile, statPath } from './disk-file.ts';
import type { DiskFile } from './disk-file.ts';
import { HEADER_SIZE, parseHeader, RESERVED, SIGNATURE, sumOf } from './format.ts';
import type { Header } from './format.ts';
import { systemPwrite, updater } from './disk-writer.ts';
import type { Published, Pwrite } from './disk-writer.ts';
import type { UniqueSums } from './checksum-padding.ts';

export interface DiskOptions {
  readonly path: string;
  /** Bytes; rounded up to whole chunks of 64 KiB. A longer file keeps its length. */
  readonly size: number;
  /** The user whom the file is to belong to; by default the one that the daemon runs as. */
  readonly owner?: Owner;
  /** The file, if it was opened before root was given up; asked once. */
  readonly opened?: () => DiskFile | undefined;
  /** How to write; for tests of failing writes. */
  readonly pwrite?: Pwrite;
}

export interface Publication {
  /** Length of the document. */
  readonly bytes: number;
  /** It was not there already. */
  readonly changed: boolean;
}

/** An open metrics disk. All is synchronous: nothing else of this process runs within an update. */
export interface Disk {
  readonly size: number;
  /** What stood there at opening. */
  readonly found: 'nothing' | 'a valid document' | 'no valid document';
  /** It belonged to another user, or had another mode: for the log. */
  readonly taken?: string;
  /** Whether the path names another file by now, or none. */
  readonly gone: () => boolean;
  /** Mends what others did to the file, for the next `publish` to write it anew; says what that was. */
  readonly repair: () => string | undefined;
  /** Puts a document on the disk, or only touches the file if it is there already. */
  readonly publish: (parts: readonly string[]) => Publication;
  /** Leaves what is published. */
  readonly close: () => void;
}

// One for all disks: it is filled and looked at in one go.
const headerBytes = Buffer.alloc(HEADER_SIZE);

const readHeader = (fd: number): Header => {
  headerBytes.fill(0);
  readSync(fd, headerBytes, 0, HEADER_SIZE, 0);
  return parseHeader(headerBytes);
};

const holds = (fd: number, { sum, bytes }: Published): boolean => {
  const header = readHeader(fd);
  return header.signature === SIGNATURE && header.busy === 0 && header.sum === sum && header.length === bytes;
};

const takeOver = ({ fd, size }: DiskFile): Published | undefined => {
  const { signature, busy, sum, length } = readHeader(fd);
  if (signature !== SIGNATURE || busy !== 0 || length > size - RESERVED) return undefined;
  const content = Buffer.alloc(length);
  if (readSync(fd, content, 0, length, HEADER_SIZE) !== length || sumOf(content, 0, length) !== sum) return undefined;
  const body = decompose(content);
  return body === undefined ? undefined : { body, sum, bytes: length };
};

const isGone = (path: string, { dev, ino }: DiskFile): boolean => {
  try {
    const stats = statPath(path);
    return stats === undefined || stats.dev !== dev || stats.ino !== ino;
  } catch {
    // In a folder that only root may enter, where it was opened before root was given up.
    return false;
  }
};

const unusable = (path: string, error: unknown): Error =>
  new Error(`${path} cannot be written: ${causeOf(error)}`, { cause: error });

/** Opens a metrics disk. A valid old document stays; otherwise the empty one is published at once. */
export const openDisk = (options: DiskOptions, sums: UniqueSums): Disk => {
  const { path, owner = ownUser(), pwrite = systemPwrite } = options;
  const file = options.opened?.() ?? openFile(path, options.size, owner, pwrite);
  const { fd, size } = file;
  const update = updater(fd, size, sums, pwrite);
  /** What is on the disk, if that is known. */
  let published: Published | undefined;
  /** The latest good document, kept in case that the next one cannot be written. */
  let last: DocumentBuffer | undefined;
  let memory: Buffer = Buffer.alloc(0);

  const replace = (body: DocumentBuffer): void => {
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
    else sums.seen(published.sum);
    return {
      size,
      found,
      ...(file.taken === undefined ? {} : { taken: file.taken }),
      gone: () => isGone(path, file),
      repair: () => {
        const length = fstatSync(fd).size;
        if (length >= size && (published === undefined || holds(fd, published))) return undefined;
        published = undefined;
        try {
          allocate(pwrite, fd, size);
        } catch (error) {
          throw unusable(path, error);
        }
        return length < size ? `was truncated to ${length} bytes` : 'was changed by another program';
      },
      publish: (parts) => {
        const body = compose(parts, memory);
        const changed = published === undefined || !sameBody(body, published.body);
        if (changed) replace(body);
        else touch();
        return { bytes: published?.bytes ?? 0, changed };
      },
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};
