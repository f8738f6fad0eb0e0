import type { Readable } from 'node:stream';

import { fromEvent, type Observable, scan, startWith } from 'rxjs';

/** What a stream has given so far. */
export interface Captured {
  /** The first bytes of it. */
  readonly kept: readonly Buffer[];
  /** Bytes in all. */
  readonly size: number;
}

/** Reads a stream to its end; keeps the first `max` bytes and throws the rest away. */
export const captureOutput = (stream: Readable, max: number): Observable<Captured> =>
  (fromEvent(stream, 'data') as Observable<Buffer>).pipe(
    scan(
      // One array for all, since a copy for each of very many small pieces would take too long.
      ({ kept, size }, piece) => {
        if (size < max) kept.push(Buffer.from(piece.subarray(0, max - size)));
        return { kept, size: size + piece.length };
      },
      { kept: [] as Buffer[], size: 0 },
    ),
    startWith({ kept: [], size: 0 }),
  );
