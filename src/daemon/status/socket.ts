import { closeSync, constants, fchownSync, fstatSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';

import { defer, finalize, map, type Observable, of, type Subscription, tap } from 'rxjs';

import { isRoot, type Owner } from '../../system/process/privileges.ts';
import { missingOrDistrusted } from '../../system/path-trust.ts';
import { unixListening$ } from '../../system/unix-socket.ts';

/** Name of the socket in the runtime directory. */
const NAME = 'status.sock';

/** Request for the status: one answer. An empty request has the same answer. */
export const STATUS = 'status\n';
/** Request for all snapshots from the newest one on, as one line each. */
export const FOLLOW = 'follow\n';

/** One line of JSON about a snapshot. */
export interface Told {
  readonly ageSeconds: number;
  /** Names of the domains by UUID. */
  readonly names: Readonly<Record<string, string>>;
  /** The document, as on a metrics disk that is large enough. */
  readonly document: string;
}

// Milliseconds for a request and for reading the answer, and the number of connections at a time.
const ASKING = 500;
const TAKING = 5000;
const MOST = 16;
// Most bytes of one connection: a request is a short line, and endless input would keep the daemon busy.
const REQUEST = 4096;
// Milliseconds for which an answer is shared while a client still reads it.
const FRESH = 1000;

/** A text, or its bytes, which clients that do not read share in memory. */
export type Text = string | Uint8Array;

type Environment = Readonly<Record<string, string | undefined>>;

/** Path of the daemon's socket; undefined if this user has no runtime directory. */
export const ownSocketPath = (environment: Environment, uid: number | undefined): string | undefined => {
  // systemd may list several folders (systemd.exec(5)).
  const given = environment['RUNTIME_DIRECTORY']?.split(':')[0];
  if (given !== undefined && given !== '') return path.join(given, NAME);
  if (uid === 0) return path.join('/run/vhostmd', NAME);
  const own = environment['XDG_RUNTIME_DIR'];
  return own === undefined || own === '' ? undefined : path.join(own, 'vhostmd', NAME);
};

/** Paths of a daemon's socket: this user's own first, then the system's; in a service only that in its own folder. */
export const socketPaths = (environment: Environment, uid: number | undefined): readonly string[] => {
  const own = ownSocketPath(environment, uid);
  const system = path.join('/run/vhostmd', NAME);
  if (own === undefined) return [system];
  return (environment['RUNTIME_DIRECTORY'] ?? '') === '' ? [...new Set([own, system])] : [own];
};

/** Makes the folder of the socket if it is missing. Gives a folder of root to `owner`, who will make the socket. */
export const makeSocketFolder = (file: string, owner?: Owner): void => {
  const folder = path.dirname(file);
  // Root must not make or give away anything in a folder that others can replace.
  const wrong = isRoot() ? missingOrDistrusted(path.dirname(folder), { uid: 0, gid: 0 }) : undefined;
  if (wrong !== undefined) throw new Error(wrong.reason);
  // Without its parents, which belong to the system; if they are missing, Node may retry forever (in /proc).
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { mode: 0o755 });
  if (owner === undefined) return;
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    if (fstatSync(fd).uid === 0) fchownSync(fd, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
};

/** Sends texts until they end. While the client does not read, only the newest one waits. */
const send = (socket: Socket, text$: Observable<Text>): Subscription => {
  let waiting: Text | undefined;
  let late: NodeJS.Timeout | undefined;
  const limit = (): void => {
    late ??= setTimeout(() => socket.destroy(), TAKING).unref();
  };
  const write = (text: Text): void => {
    if (!socket.write(text)) limit();
  };
  socket.once('close', () => {
    clearTimeout(late);
    waiting = undefined;
  });
  socket.on('drain', () => {
    // After the last text the time limit applies until the client has closed, too.
    if (socket.writableEnded) return;
    clearTimeout(late);
    const next = waiting;
    [late, waiting] = [undefined, undefined];
    if (next !== undefined) write(next);
  });
  return text$.subscribe({
    next: (text) => (late === undefined ? write(text) : (waiting = text)),
    complete: () => {
      socket.end();
      limit();
    },
  });
};

/** Shares an answer between simultaneous clients, so that many that do not read hold one text in memory. */
const sharedAnswers = (status$: Observable<Text>, taken: () => number): Observable<Text> => {
  let last: { readonly at: number; readonly answer: Text } | undefined;
  return defer(() => {
    if (taken() === 0 || (last !== undefined && performance.now() - last.at >= FRESH)) last = undefined;
    return last === undefined
      ? status$.pipe(
          map((text) => (typeof text === 'string' ? Buffer.from(text) : text)),
          tap((answer) => (last = { at: performance.now(), answer })),
        )
      : of(last.answer);
  });
};

/**
 * Serves the socket until it is unsubscribed; emits once, when it listens. Errors if another daemon has the socket, or
 * it cannot be made.
 */
export const statusSocket$ = (
  file: string,
  answers: { readonly status$: Observable<Text>; readonly follow$: Observable<Text> },
): Observable<void> =>
  defer(() => {
    const sockets = new Set<Socket>();
    const taking = new Set<Socket>();
    const status$ = sharedAnswers(answers.status$, () => taking.size);
    // Half-open, because a client may close its side after the request.
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let sending: Subscription | undefined;
      let asked = '';
      let bytes = 0;
      const answer = (request: string): void => {
        if (sending !== undefined) return;
        sending = send(socket, request === FOLLOW ? answers.follow$ : status$);
        if (request !== FOLLOW) taking.add(socket);
      };
      const waited = setTimeout(answer, ASKING, '').unref();
      sockets.add(socket);
      socket.once('close', () => {
        clearTimeout(waited);
        sending?.unsubscribe();
        sockets.delete(socket);
        taking.delete(socket);
      });
      socket.on('error', () => undefined);
      // A request may arrive in pieces; later bytes are dropped.
      socket.on('data', (data: Buffer) => {
        bytes += data.length;
        if (bytes > REQUEST) return void socket.destroy();
        asked += data.toString('latin1');
        if (asked.includes('\n')) answer(asked);
      });
      socket.once('end', () => answer(asked));
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
