import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { createConnection } from 'node:net';

import { asyncScheduler, Observable } from 'rxjs';
import type { SchedulerAction, SchedulerLike } from 'rxjs';

import { causeOf, codeOf } from '../model/reason.ts';
import { CHANNEL_NAME, pathTrouble } from '../sinks/virtio-serial/socket-path.ts';
import { readReply$ } from './read-reply.ts';
import type { Result } from '../model/result.ts';
import type { ReadReplyOptions } from './read-reply.ts';
import { REQUEST } from '../sinks/virtio-serial/request.ts';

const MEND: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses the connection: nobody listens on it any more',
  EAGAIN: 'is busy: too many others wait for it; try again later',
  EBUSY: 'is busy: somebody else has it open, and only one may; try again when that one has ended',
  EACCES: 'may not be opened by this user; try again as root',
  ENXIO: 'is not connected to anything: the channel has been unplugged',
  ENODEV: 'is not connected to anything: the channel has been unplugged',
  EIO: 'was closed on its other side before the reply was complete',
  EPIPE: 'was closed on its other side before the reply was complete',
  ECONNRESET: 'was closed on its other side before the reply was complete',
};

const failure = (path: string, error: unknown): Error =>
  new Error(`${path} ${MEND[codeOf(error) ?? ''] ?? `cannot be read: ${causeOf(error)}`}`);

const socketBytes$ = (path: string): Observable<Uint8Array> =>
  new Observable((subscriber) => {
    const trouble = pathTrouble(path.startsWith('/') ? path : `/${path}`);
    if (trouble !== undefined) return subscriber.error(new Error(`${path} ${trouble}`));
    const socket = createConnection({ path });
    socket.on('connect', () => socket.write(REQUEST));
    socket.on('data', (bytes) => subscriber.next(bytes));
    socket.on('error', (error) => subscriber.error(failure(path, error)));
    socket.on('close', () => subscriber.complete());
    return () => socket.destroy();
  });

/** Milliseconds between two reads of a port. */
const POLL = 10;
/** Milliseconds of silence after which nothing of an earlier reply is left in the port. */
const SILENCE = 50;
/** Milliseconds after which a port that is never silent is asked anyway. */
const LONGEST_DRAIN = 1000;

const PIECE = 64 * 1024;
const PIECES = 16;

/** Reads the available bytes, at most 1 MiB. Also empty if the other side is not connected. */
const readNow = (fd: number): Uint8Array => {
  const pieces: Uint8Array[] = [];
  try {
    while (pieces.length < PIECES) {
      const piece = Buffer.allocUnsafe(PIECE);
      const count = readSync(fd, piece, 0, PIECE, null);
      if (count === 0) break;
      pieces.push(piece.subarray(0, count));
    }
  } catch (error) {
    if (codeOf(error) !== 'EAGAIN') throw error;
  }
  return Buffer.concat(pieces);
};

const writeNow = (fd: number, bytes: Uint8Array): number => {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    // The queue is full, or the other side is not connected yet.
    if (codeOf(error) === 'EAGAIN') return 0;
    throw error;
  }
};

// Polls without blocking, because Node's event loop supports no character devices except terminals.
const portBytes$ = (path: string, scheduler: SchedulerLike): Observable<Uint8Array> =>
  new Observable((subscriber) => {
    let fd: number | undefined;
    let unsent: Uint8Array = Buffer.from(REQUEST);
    const start = scheduler.now();
    let heard = start;
    const look = (port: number): void => {
      const bytes = readNow(port);
      const now = scheduler.now();
      const asked = unsent.length < REQUEST.length;
      if (asked && bytes.length > 0) subscriber.next(bytes);
      if (!asked && bytes.length > 0) heard = now;
      if (asked || now - heard >= SILENCE || now - start >= LONGEST_DRAIN)
        unsent = unsent.subarray(unsent.length === 0 ? 0 : writeNow(port, unsent));
    };
    const timer = scheduler.schedule(function again(this: SchedulerAction<undefined>) {
      try {
        fd ??= openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY);
        look(fd);
        this.schedule(undefined, POLL);
      } catch (error) {
        subscriber.error(failure(path, error));
      }
    });
    return () => {
      timer.unsubscribe();
      if (fd !== undefined) closeSync(fd);
    };
  });

/** Requests the metrics on a unix socket that serves the protocol of a channel. Emits once; a failure is a value. */
export const readSocket$ = (path: string, options: ReadReplyOptions = {}): Observable<Result<string>> =>
  readReply$(
    path,
    socketBytes$(path),
    `no vhostmd serves it; if it is QEMU's side of a channel, ask in the guest, at /dev/virtio-ports/${CHANNEL_NAME}`,
    options,
  );

/** Requests the metrics in a guest, on the character device of its port. Drops earlier bytes. Emits once. */
export const readPort$ = (path: string, options: ReadReplyOptions = {}): Observable<Result<string>> =>
  readReply$(
    path,
    portBytes$(path, options.scheduler ?? asyncScheduler),
    'no vhostmd is connected to it on the host; look whether vhostmd runs there, with <transport>virtio</transport>',
    options,
  );
