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
  /** Owner of the file; default: the user of the daemon. */
  readonly owner?: Owner;
  /** Returns the file if it was opened before the privileges were dropped; called once. */
  readonly opened?: () => DiskFile | undefined;
  /** Replaces pwrite(2) in tests of failing writes. */
  readonly pwrite?: Pwrite;
}

export interface Publication {
  /** Length of the document. */
  readonly bytes: number;
  /** True if the document was not on the disk already. */
  readonly changed: boolean;
}

/** An open metrics disk. Everything is synchronous, so that nothing else of this process runs during an update. */
export interface Disk {
  readonly size: number;
  /** Content of the file when it was opened. */
  readonly found: 'nothing' | 'a valid document' | 'no valid document';
  /** Message for the log if the file belonged to another user or had another mode. */
  readonly taken?: string;
  /** True if the path now names another file, or none. */
  readonly gone: () => boolean;
  /** Detects damage by others, which the next `publish` repairs, and describes it. */
  readonly repair: () => string | undefined;
  /** Writes a document to the disk, or only touches the file if the disk has it already. */
  readonly publish: (parts: readonly string[]) => Publication;
  /** Closes the file; its document stays. */
  readonly close: () => void;
}

const readHeader = (fd: number): Header => {
  const bytes = Buffer.alloc(HEADER_SIZE);
  readSync(fd, bytes, 0, HEADER_SIZE, 0);
  return parseHeader(bytes);
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
    // The file was opened as root, in a folder that this user may not enter.
    return false;
  }
};

const unusable = (path: string, error: unknown): Error =>
  new Error(`${path} cannot be written: ${causeOf(error)}`, { cause: error });

/** Opens a metrics disk. A valid document stays; otherwise the empty one is published at once. */
export const openDisk = (options: DiskOptions, sums: UniqueSums): Disk => {
  const { path, owner = ownUser(), pwrite = systemPwrite } = options;
  const file = options.opened?.() ?? openFile(path, options.size, owner, pwrite);
  const { fd, size } = file;
  const update = updater(fd, size, sums, pwrite);
  // A file and its content, which synchronous calls change: no stream carries them on.
  /** Document on the disk, if known. */
  let published: Published | undefined;
  /** The last good document, kept in case the next one cannot be written. */
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
      // utimes(2) needs the owner of the file; a write that changes nothing has the same effect.
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
