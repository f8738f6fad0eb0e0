import { lstatSync, renameSync, unlinkSync } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { dirname } from 'node:path';

import { Observable, switchMap } from 'rxjs';

import { isRoot } from './process/privileges.ts';
import { missingOrDistrusted } from './path-trust.ts';
import { causeOf } from '../model/reason.ts';

/** A socket that listens at its path. */
export interface Listening {
  /** Reason why clients no longer reach it, such as another file at its path; undefined while they do. */
  readonly lost: () => string | undefined;
}

// sockaddr_un has 108 bytes with the NUL (unix(7)). A longer path would be truncated silently.
const MOST = 107;
const ANSWER = 1000;

/** Returns a message if something other than a socket stands at a path, else undefined. */
export const obstacleAt = (path: string): string | undefined => {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isSocket()) return undefined;
  return `${path} is in the way: it is not a socket, so it is left as it is; remove it or name another path`;
};

// A stale socket refuses connections.
const vacant$ = (path: string): Observable<void> =>
  new Observable((subscriber) => {
    const inUse = (): void => subscriber.error(new Error(`${path} is in use: another program listens there`));
    const free = (): void => {
      subscriber.next();
      subscriber.complete();
    };
    // Root must not make or remove names in a folder that others can replace.
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
 * Listens on a unix socket of this mode until it is unsubscribed; emits once. Replaces a stale socket; removes only its
 * own. Errors if the path is in use, is not a socket, or cannot be written.
 */
export const unixListening$ = (server: Server, path: string, mode: number): Observable<Listening> =>
  vacant$(path).pipe(
    switchMap(
      () =>
        new Observable<Listening>((subscriber) => {
          // Bound to a draft name, then renamed: closing removes the draft's name, never one that another process owns.
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
          // The umask sets the mode when the socket is made; a later chmod could follow a link that was put there.
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
              // The folder is no longer ours: the next start replaces a stale socket.
            }
            server.off('error', fail);
            server.on('error', () => undefined);
            server.close();
          };
        }),
    ),
  );
