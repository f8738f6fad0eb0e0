import { createConnection } from 'node:net';

import { concat, Observable } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import { checkSocket$, socketTrouble } from './path.ts';
import type { Allowance } from './session.ts';
import { session } from './session.ts';

/** All sockets read into this one: what is read is looked at before the next one reads. */
const shared = new Uint8Array(4096);

const connected$ = (
  path: string,
  allowance: Allowance,
  reply: () => string,
  scheduler: SchedulerLike,
): Observable<'connected'> =>
  new Observable((subscriber) => {
    const socket = createConnection({
      path,
      onread: { buffer: shared, callback: (length, bytes) => talk.received(bytes, length) },
    });
    const write = (text: string): boolean => {
      let waiting = false;
      socket.write(text, 'latin1', (error) => {
        if (waiting && (error === undefined || error === null)) talk.drained();
      });
      // What the kernel has taken at once is no longer in Node's buffer.
      waiting = socket.writableLength > 0;
      return !waiting;
    };
    const talk = session(allowance, { write, resume: () => socket.resume() }, reply, scheduler);
    const closed = (): void => subscriber.error(new Error('was closed by QEMU; it is connected again when it can be'));
    socket.on('connect', () => subscriber.next('connected'));
    socket.on('error', (error) => subscriber.error(new Error(socketTrouble(error))));
    socket.on('end', closed);
    socket.on('close', closed);
    return () => {
      talk.close();
      socket.destroy();
    };
  });

/**
 * One connection to a channel; the replies are asked for one by one. Emits once, when it is connected; an error, whose
 * text goes on behind the path, when it cannot be made or has ended. Unsubscribing closes it, also in mid-write.
 */
export const connection$ = (...of: Parameters<typeof connected$>): Observable<'connected'> =>
  concat(checkSocket$(of[0]), connected$(...of));
