import { closeSync, openSync, readSync } from 'node:fs';

import { HEADER_SIZE, parseHeader, SIGNATURE } from '../src/sinks/metrics-disk/format.ts';

/**
 * Reads a metrics disk repeatedly at little cost. `look` returns undefined if there is no new document, or if it is
 * being written.
 */
export interface DiskView {
  readonly look: () => string | undefined;
  readonly close: () => void;
}

/** Opens an existing disk. A document is valid if its header is the same before and after the read. */
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
