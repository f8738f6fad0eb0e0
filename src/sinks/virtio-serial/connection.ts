import { createConnection } from 'node:net';

import { Observable } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import { probeDescriptors, SPARE_DESCRIPTORS } from '../../system/process/descriptors.ts';
import { checkSocket, CLOSED, socketTrouble } from './socket-path.ts';
import type { Allowance } from './guest-session.ts';
import { session } from './guest-session.ts';

/** All sockets read into this one: what is read is looked at before the next one reads. */
const shared = new Uint8Array(4096);

/** A socket that is being connected, and how it ends: with a trouble, whose text goes on behind the path. */
const open = (
  path: string,
  { allowance, reply, scheduler }: ConnectionOptions,
  connected: () => void,
  ended: (trouble: string) => void,
): (() => void) => {
  const socket = createConnection({
    path,
    onread: { buffer: shared, callback: (length, bytes) => talk.received(bytes, length) },
  });
  const write = (text: string): boolean => {
    socket.write(text, 'latin1', (error) => {
      if (socket.writableLength === 0 && (error === undefined || error === null)) talk.drained();
    });
    // What the kernel has taken at once is no longer in Node's buffer.
    return socket.writableLength === 0;
  };
  const talk = session(allowance, { write, resume: () => socket.resume() }, reply, scheduler);
  const closed = (): void => ended(CLOSED);
  socket.on('connect', connected);
  socket.on('error', (error) => ended(socketTrouble(error, path)));
  socket.on('end', closed);
  socket.on('close', closed);
  return () => {
    talk.close();
    socket.destroy();
  };
};

export interface ConnectionOptions {
  readonly allowance: Allowance;
  /** The answer to a request for the metrics, made when it is due. */
  readonly reply: () => string;
  readonly scheduler: SchedulerLike;
}

/**
 * One connection to a channel. Emits once, when it is connected; an error, whose text goes on behind the path, when it
 * cannot be made or has ended. Unsubscribing closes it, also in mid-write.
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
