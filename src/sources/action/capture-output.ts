import type { Readable } from 'node:stream';

import { fromEvent, type Observable, scan, startWith } from 'rxjs';

/** Output of a stream so far. */
export interface Captured {
  /** The first bytes. */
  readonly kept: readonly Buffer[];
  /** Number of all bytes. */
  readonly size: number;
}

/** Reads a stream to its end; keeps the first `max` bytes and drops the rest. */
export const captureOutput = (stream: Readable, max: number): Observable<Captured> =>
  (fromEvent(stream, 'data') as Observable<Buffer>).pipe(
    scan(
      // One mutable array, because a copy for each of very many small pieces would take too long.
      ({ kept, size }, piece) => {
        if (size < max) kept.push(Buffer.from(piece.subarray(0, max - size)));
        return { kept, size: size + piece.length };
      },
      { kept: [] as Buffer[], size: 0 },
    ),
    startWith({ kept: [], size: 0 }),
  );
