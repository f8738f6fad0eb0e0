import { lchownSync, lstatSync, mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';

import { defer, finalize, map, type Observable } from 'rxjs';

import type { Owner } from '../process/privileges.ts';
import { unixListening$ } from '../unix-socket.ts';

/** Name of the socket in the runtime directory. */
const NAME = 'status.sock';

// Milliseconds that whoever asks may take for the answer, and how many may ask at a time.
const TAKING = 5000;
const MOST = 16;

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the daemon's socket is; undefined if this user has no runtime directory. */
export const ownSocketPath = (environment: Environment, uid: number | undefined): string | undefined => {
  // systemd gives a list of folders (systemd.exec(5)).
  const given = environment['RUNTIME_DIRECTORY']?.split(':')[0];
  if (given !== undefined && given !== '') return path.join(given, NAME);
  if (uid === 0) return path.join('/run/vhostmd', NAME);
  const own = environment['XDG_RUNTIME_DIR'];
  return own === undefined || own === '' ? undefined : path.join(own, 'vhostmd', NAME);
};

/** Where to look for a daemon's socket: this user's own first, then the system's; in a service only in its own folder. */
export const socketPaths = (environment: Environment, uid: number | undefined): readonly string[] => {
  const own = ownSocketPath(environment, uid);
  const system = path.join('/run/vhostmd', NAME);
  if (own === undefined) return [system];
  return (environment['RUNTIME_DIRECTORY'] ?? '') === '' ? [...new Set([own, system])] : [own];
};

/** Makes the folder of the socket if it is not there; one that is root's is given to `owner`, who is to make the socket. */
export const makeSocketFolder = (file: string, owner?: Owner): void => {
  const folder = path.dirname(file);
  // Not with those above it: they are the system's, and where they are missing Node may try for ever (in /proc).
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { mode: 0o755 });
  if (owner !== undefined && lstatSync(folder).uid === 0) lchownSync(folder, owner.uid, owner.gid);
};

/**
 * Answers everyone who connects with one text, until it is unsubscribed; emits once, when it listens. Errors: another
 * daemon has the socket, or it cannot be made.
 */
export const statusSocket$ = (file: string, answer: () => string): Observable<void> =>
  defer(() => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
      setTimeout(() => socket.destroy(), TAKING).unref();
      // Nothing is asked: what comes is thrown away.
      socket.resume();
      socket.end(answer());
      const [oldest] = sockets;
      if (sockets.size > MOST) oldest?.destroy();
    });
    return unixListening$(server, file, 0o660).pipe(
      map(() => undefined),
      finalize(() => {
        for (const socket of sockets) socket.destroy();
      }),
    );
  });
