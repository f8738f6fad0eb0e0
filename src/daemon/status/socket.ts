import { closeSync, constants, fchownSync, fstatSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';

import { defer, finalize, map, type Observable, of, type Subscription, tap } from 'rxjs';

import { isRoot, type Owner } from '../../system/process/privileges.ts';
import { missingOrDistrusted } from '../../system/path-trust.ts';
import { unixListening$ } from '../../system/unix-socket.ts';

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
// Bytes that one connection may send: a request is one short line, and reading without end would keep the daemon busy.
const REQUEST = 4096;
// So many milliseconds an answer may be given to others, while somebody still takes it.
const FRESH = 1000;

/** A text, or its bytes: many who do not read hold them once. */
export type Text = string | Uint8Array;

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
  // Root makes nothing, and gives nothing away, where others decide what that is.
  const wrong = isRoot() ? missingOrDistrusted(path.dirname(folder), { uid: 0, gid: 0 }) : undefined;
  if (wrong !== undefined) throw new Error(wrong.reason);
  // Not with those above it: they are the system's, and where they are missing Node may try for ever (in /proc).
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { mode: 0o755 });
  if (owner === undefined) return;
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    if (fstatSync(fd).uid === 0) fchownSync(fd, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
};

/** Sends texts until they end; of those that come while nobody takes them only the newest is kept. */
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
    // After the last text the time goes on until the other side has closed, too.
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

/** Answers, made anew for whoever asks while nobody takes one; so many who do not read hold one text, not one each. */
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
 * Answers everyone who connects, until it is unsubscribed; emits once, when it listens. Errors: another daemon has the
 * socket, or it cannot be made.
 */
export const statusSocket$ = (
  file: string,
  answers: { readonly status$: Observable<Text>; readonly follow$: Observable<Text> },
): Observable<void> =>
  defer(() => {
    const sockets = new Set<Socket>();
    const taking = new Set<Socket>();
    const status$ = sharedAnswers(answers.status$, () => taking.size);
    // Half-open: who asks may have closed his side by then.
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
      // A request may come in pieces; what comes after it is thrown away.
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
