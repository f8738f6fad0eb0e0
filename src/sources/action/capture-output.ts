import type { Readable } from 'node:stream';

/** Keeps the first `max` bytes of a stream and throws the rest away; returns a reader of what there is. */
export const captureOutput = (stream: Readable, max: number, onMore?: () => void): (() => Uint8Array) => {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    if (size < max) chunks.push(Buffer.from(chunk.subarray(0, max - size)));
    size += chunk.length;
    if (size > max) onMore?.();
  });
  return () => Buffer.concat(chunks);
};
