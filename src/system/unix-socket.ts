import { lstatSync, renameSync, unlinkSync } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { dirname } from 'node:path';

import { Observable, switchMap } from 'rxjs';

import { isRoot } from './process/privileges.ts';
import { missingOrDistrusted } from './path-trust.ts';
import { causeOf } from '../model/reason.ts';

/** A socket that listens at its path. */
export interface Listening {
  /** Why it cannot be reached any more: others may have removed or replaced it; undefined if it can. */
  readonly lost: () => string | undefined;
}

// sockaddr_un holds 108 bytes, with the NUL (unix(7)); what is longer would be cut without a word.
const MOST = 107;
const ANSWER = 1000;

/** What stands at a path that is no socket, as a message; undefined if nothing or a socket. */
export const obstacleAt = (path: string): string | undefined => {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isSocket()) return undefined;
  return `${path} is in the way: it is not a socket, so it is left as it is; remove it or name another path`;
};

// A socket that nobody listens on any more refuses connections.
const vacant$ = (path: string): Observable<void> =>
  new Observable((subscriber) => {
    const inUse = (): void => subscriber.error(new Error(`${path} is in use: another program listens there`));
    const free = (): void => {
      subscriber.next();
      subscriber.complete();
    };
    // Root makes and removes no name where others may change what it leads to.
    const wrong = isRoot() ? missingOrDistrusted(dirname(path)) : undefined;
    if (wrong !== undefined) return subscriber.error(new Error(`${path} cannot be opened: ${wrong.reason}`));
    const obstacle = obstacleAt(path);
    if (obstacle !== undefined) return subscriber.error(new Error(obstacle));
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return free();
    const socket = createConnection(path);
    socket.setTimeout(ANSWER, inUse);
    socket.once('connect', inUse);
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      code === 'ECONNREFUSED' || code === 'ENOENT' ? free() : inUse(),
    );
    return () => socket.destroy();
  });

const identityOf = (path: string): string => {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.dev}:${stats.ino}`;
};

/**
 * Lets a server listen on a unix socket of this mode until it is unsubscribed; emits once. A stale socket is taken over, and at the
 * end only our own is removed. Errors: the path is in use, in the way or cannot be written.
 */
export const unixListening$ = (server: Server, path: string, mode: number): Observable<Listening> =>
  vacant$(path).pipe(
    switchMap(
      () =>
        new Observable<Listening>((subscriber) => {
          // Renamed into place, complete: closing it removes the name that it was made with, whoever may have that by then.
          const draft = `${path}.${process.pid}`;
          let identity: string | undefined;
          const isOurs = (): boolean => identity !== undefined && identityOf(path) === identity;
          const lost = (): string | undefined =>
            isOurs() ? undefined : (obstacleAt(path) ?? `${path} was removed or replaced, so it is made again`);
          if (Buffer.byteLength(draft) > MOST) {
            subscriber.error(new Error(`${path} is too long for a socket: at most ${MOST - 8} bytes`));
            return;
          }
          const fail = (error: unknown): void =>
            subscriber.error(new Error(`${path} cannot be opened: ${causeOf(error)}`, { cause: error }));
          server.once('error', fail);
          // The socket is made within this call; a chmod would follow a link that somebody puts there.
          const umask = process.umask(0o777 & ~mode);
          server.listen(draft, () => {
            try {
              renameSync(draft, path);
              identity = identityOf(path);
              subscriber.next({ lost });
            } catch (error) {
              fail(error);
            }
          });
          process.umask(umask);
          return () => {
            try {
              if (isOurs()) unlinkSync(path);
            } catch {
              // In a folder that is not ours any more: the next start takes a stale socket over.
            }
            server.off('error', fail);
            server.on('error', () => undefined);
            server.close();
          };
        }),
    ),
  );
