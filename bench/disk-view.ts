import { closeSync, openSync, readSync } from 'node:fs';

import { HEADER_SIZE, parseHeader, SIGNATURE } from '../src/sinks/metrics-disk/format.ts';

/** Reads a metrics disk again and again at little cost: `look` is undefined if nothing new can be read now. */
export interface DiskView {
  readonly look: () => string | undefined;
  readonly close: () => void;
}

/** Opens a disk that exists. A document is taken if the header is the same before and after it. */
export const viewDisk = (path: string): DiskView => {
  const fd = openSync(path, 'r');
  const before = Buffer.alloc(HEADER_SIZE);
  const after = Buffer.alloc(HEADER_SIZE);
  const known = Buffer.alloc(HEADER_SIZE);
  let content = Buffer.alloc(1 << 16);
  return {
    look: () => {
      if (readSync(fd, before, 0, HEADER_SIZE, 0) < HEADER_SIZE || before.equals(known)) return undefined;
      const { signature, busy, length } = parseHeader(before);
      if (signature !== SIGNATURE || busy !== 0) return undefined;
      if (content.length < length) content = Buffer.alloc(2 * length);
      readSync(fd, content, 0, length, HEADER_SIZE);
      readSync(fd, after, 0, HEADER_SIZE, 0);
      if (!before.equals(after)) return undefined;
      before.copy(known);
      return content.toString('latin1', 0, length);
    },
    close: () => closeSync(fd),
  };
};
