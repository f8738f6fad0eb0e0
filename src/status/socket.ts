import { lchownSync, lstatSync, mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';

import { defer, finalize, map, type Observable, type Subscription } from 'rxjs';

import type { Owner } from '../process/privileges.ts';
import { unixListening$ } from '../unix-socket.ts';

/** Name of the socket in the runtime directory. */
const NAME = 'status.sock';

/** Asks for the status: one answer. Who asks for nothing gets it, too. */
export const STATUS = 'status\n';
/** Asks to be told of each snapshot, on one line each, from the newest one on. */
export const FOLLOW = 'follow\n';

/** What the daemon says of each snapshot, on one line of JSON. */
export interface Told {
  readonly ageSeconds: number;
  /** Names of the domains by uuid. */
  readonly names: Readonly<Record<string, string>>;
  /** As on a metrics disk that is large enough. */
  readonly document: string;
}

// Milliseconds that whoever asks may take for his request, and for the answer, and how many may ask at a time.
const ASKING = 500;
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

/** Sends texts until they end; of those that come while nobody takes them only the newest is kept. */
const send = (socket: Socket, text$: Observable<string>): Subscription => {
  let waiting: string | undefined;
  let late: NodeJS.Timeout | undefined;
  const write = (text: string): void => {
    if (socket.write(text)) return;
    late ??= setTimeout(() => socket.destroy(), TAKING).unref();
  };
  socket.on('drain', () => {
    clearTimeout(late);
    const next = waiting;
    [late, waiting] = [undefined, undefined];
    if (next !== undefined) write(next);
  });
  return text$.subscribe({
    next: (text) => (late === undefined ? write(text) : (waiting = text)),
    complete: () => {
      socket.end();
      setTimeout(() => socket.destroy(), TAKING).unref();
    },
  });
};

/**
 * Answers everyone who connects, until it is unsubscribed; emits once, when it listens. Errors: another daemon has the
 * socket, or it cannot be made.
 */
export const statusSocket$ = (
  file: string,
  answers: { readonly status$: Observable<string>; readonly follow$: Observable<string> },
): Observable<void> =>
  defer(() => {
    const sockets = new Set<Socket>();
    // Half-open: who asks may have closed his side by then.
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let sending: Subscription | undefined;
      const answer = (request: string): void => {
        sending ??= send(socket, request === FOLLOW ? answers.follow$ : answers.status$);
      };
      const waited = setTimeout(answer, ASKING, '').unref();
      sockets.add(socket);
      socket.once('close', () => {
        clearTimeout(waited);
        sending?.unsubscribe();
        sockets.delete(socket);
      });
      socket.on('error', () => undefined);
      // What comes after the request is thrown away.
      socket.on('data', (data: Buffer) => answer(data.toString('latin1')));
      socket.once('end', () => answer(''));
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
