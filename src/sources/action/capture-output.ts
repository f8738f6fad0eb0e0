import type { Readable } from 'node:stream';

import { AsyncSubject, type Observable } from 'rxjs';

/** Output of a stream. */
export interface Captured {
  /** The first bytes. */
  readonly kept: Buffer;
  /** Number of all bytes. */
  readonly size: number;
}

/** Reads a stream until it is closed, then emits. Keeps the first `max` bytes; calls `onExcess` if there are more. */
export const captureOutput = (stream: Readable, max: number, onExcess?: () => void): Observable<Captured> => {
  const captured$ = new AsyncSubject<Captured>();
  const kept: Buffer[] = [];
  let size = 0;
  stream.on('data', (piece: Buffer) => {
    if (size < max) kept.push(Buffer.from(piece.subarray(0, max - size)));
    size += piece.length;
    if (size > max) onExcess?.();
  });
  stream.on('close', () => {
    captured$.next({ kept: Buffer.concat(kept), size });
    captured$.complete();
  });
  return captured$;
};
