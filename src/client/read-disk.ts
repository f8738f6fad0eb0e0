import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

import { dropCache } from '../system/libc.ts';
import { HEADER_SIZE, parseHeader, RESERVED, SIGNATURE, sumOf } from '../sinks/metrics-disk/format.ts';
import type { Header } from '../sinks/metrics-disk/format.ts';
import { causeOf } from '../model/reason.ts';

/** Result of reading a metrics disk once. All kinds but `content` are failures; `never` will not pass by waiting. */
export type Look =
  | { readonly kind: 'content'; readonly content: Buffer }
  | { readonly kind: 'busy' | 'torn' | 'sum' | 'never'; readonly message: string };

/** Largest disk that a daemon makes, in bytes. Protects against an invalid length. */
const LARGEST = 256 * 1024 * 1024;

const readAll = (fd: number, bytes: Buffer, position: number): number => {
  let done = 0;
  while (done < bytes.length) {
    const count = readSync(fd, bytes, done, bytes.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
};

const never = (message: string): Look => ({ kind: 'never', message });

const readHeader = (fd: number): Header | undefined => {
  const bytes = Buffer.alloc(HEADER_SIZE);
  return readAll(fd, bytes, 0) < HEADER_SIZE ? undefined : parseHeader(bytes);
};

const same = (one: Header, other: Header | undefined): boolean =>
  one.busy === other?.busy && one.sum === other.sum && one.length === other.length;

const look = (fd: number, path: string, fresh: () => void): Look => {
  fresh();
  const header = readHeader(fd);
  if (header === undefined) return never(`${path} is too short for a metrics disk: it has not even a header`);
  const { signature, busy, sum, length } = header;
  if (signature !== SIGNATURE) return never(`${path} is not a metrics disk: it does not start with "mvbd"`);
  if (busy !== 0)
    return {
      kind: 'busy',
      message: `${path} stays busy: its writer has died or hangs; restart vhostmd on the host`,
    };
  if (length + RESERVED > LARGEST || readAll(fd, Buffer.alloc(1), length + RESERVED - 1) < 1)
    return never(
      `${path} is too short for its content: the header has ${length} bytes, and ${RESERVED} more must follow them`,
    );
  const content = Buffer.allocUnsafe(length);
  if (readAll(fd, content, HEADER_SIZE) < length)
    return { kind: 'torn', message: `${path} was truncated while it was read` };
  fresh();
  if (!same(header, readHeader(fd)))
    return { kind: 'torn', message: `${path} is written too often to be read in one piece` };
  const found = sumOf(content, 0, length);
  if (found === sum) return { kind: 'content', content };
  return {
    kind: 'sum',
    message: `${path} is damaged: the checksum of its content is ${found}, but the header has ${sum}`,
  };
};

/** Reads a metrics disk (a file, or in a guest the block device) and verifies signature, flag, length and checksum. */
export const lookAtDisk = (path: string): Look => {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const device = fd;
    const stats = fstatSync(fd);
    if (!stats.isFile() && !stats.isBlockDevice())
      return never(`${path} is not a metrics disk: it is neither a regular file nor a block device`);
    return look(fd, path, stats.isBlockDevice() ? () => dropCache(device) : () => undefined);
  } catch (error) {
    return never(`${path} cannot be read: ${causeOf(error)}`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
};
