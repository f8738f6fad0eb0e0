import { createConnection } from 'node:net';

import { Observable } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import { probeDescriptors, SPARE_DESCRIPTORS } from '../../system/process/descriptors.ts';
import { checkSocket, CLOSED, socketTrouble } from './socket-path.ts';
import type { Allowance } from './guest-session.ts';
import { guestSession } from './guest-session.ts';

/** Read buffer of all sockets: each read is processed before the next one. */
const readBuffer = new Uint8Array(4096);

/** Connects a socket. Its failure has a text that follows the path. */
const open = (
  path: string,
  { allowance, reply, scheduler }: ConnectionOptions,
  connected: () => void,
  ended: (trouble: string) => void,
): (() => void) => {
  const socket = createConnection({
    path,
    onread: { buffer: readBuffer, callback: (length, bytes) => session.received(bytes, length) },
  });
  const write = (text: string): boolean => {
    socket.write(text, 'latin1', (error) => {
      if (socket.writableLength === 0 && (error === undefined || error === null)) session.drained();
    });
    // Bytes that the kernel has taken are no longer in Node's buffer.
    return socket.writableLength === 0;
  };
  const session = guestSession(allowance, { write, resume: () => socket.resume() }, reply, scheduler);
  const closed = (): void => ended(CLOSED);
  socket.on('connect', connected);
  socket.on('error', (error) => ended(socketTrouble(error, path)));
  socket.on('end', closed);
  socket.on('close', closed);
  return () => {
    session.close();
    socket.destroy();
  };
};

export interface ConnectionOptions {
  readonly allowance: Allowance;
  /** Makes the reply to a request for the metrics, when it is due. */
  readonly reply: () => string;
  readonly scheduler: SchedulerLike;
}

/**
 * One connection to a channel. Emits once, when it is connected. Errors with a text that follows the path when it
 * cannot be made or has ended. Unsubscribing closes it, also during a write.
 */
export const connection$ = (path: string, options: ConnectionOptions): Observable<'connected'> =>
  new Observable((subscriber) => {
    const ended = (trouble: string): void => subscriber.error(new Error(trouble));
    const connected = (): void => subscriber.next('connected');
    checkSocket(path, (trouble) => {
      if (subscriber.closed) return;
      if (trouble !== undefined) return ended(trouble);
      try {
        probeDescriptors(SPARE_DESCRIPTORS);
      } catch (error) {
        return ended(socketTrouble(error, path));
      }
      subscriber.add(open(path, options, connected, ended));
    });
  });
