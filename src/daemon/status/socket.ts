import { closeSync, constants, fchownSync, fstatSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';

import {
  concat,
  defer,
  EMPTY,
  filter,
  finalize,
  fromEvent,
  ignoreElements,
  map,
  merge,
  type Observable,
  ReplaySubject,
  scan,
  share,
  startWith,
  Subject,
  switchMap,
  take,
  takeUntil,
  tap,
  timer,
  withLatestFrom,
} from 'rxjs';

import { exhaustMapLatest } from '../../rx/exhaust-map-latest.ts';
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

// Ends a client that does not take its answer in time.
const limit$ = (socket: Socket): Observable<unknown> => timer(TAKING).pipe(tap(() => socket.destroy()));

/** Writes a text, and completes when the client takes it. */
const write$ = (socket: Socket, text: Text): Observable<never> =>
  defer(() => (socket.write(text) ? EMPTY : merge(fromEvent(socket, 'drain'), limit$(socket)).pipe(take(1)))).pipe(
    ignoreElements(),
  );

/** Writes texts until they end; while the client takes none, only the newest is kept. */
const follow$ = (socket: Socket, text$: Observable<Text>): Observable<unknown> =>
  concat(
    text$.pipe(exhaustMapLatest((text) => write$(socket, text))),
    defer(() => {
      socket.end();
      return limit$(socket);
    }),
  );

/** Writes one text. The time limit applies until the client has closed, too. */
const answer$ = (socket: Socket, text$: Observable<Text>): Observable<unknown> =>
  text$.pipe(
    switchMap((text) => {
      socket.end(text);
      return limit$(socket);
    }),
  );

/** The request of a client; empty if it takes too long. Closes the connection if more comes than a request. */
const request$ = (socket: Socket): Observable<string> => {
  // A request may arrive in pieces.
  const text$ = (fromEvent(socket, 'data') as Observable<Buffer>).pipe(
    scan((text, data) => text + data.toString('latin1'), ''),
    tap((text) => {
      if (text.length > REQUEST) socket.destroy();
    }),
    share(),
  );
  const first$ = merge(
    text$.pipe(filter((text) => text.includes('\n') && text.length <= REQUEST)),
    fromEvent(socket, 'end').pipe(
      withLatestFrom(text$.pipe(startWith(''))),
      map(([, text]) => text),
    ),
    timer(ASKING).pipe(map(() => '')),
  ).pipe(take(1));
  // Later bytes are dropped.
  return merge(first$, text$.pipe(ignoreElements()));
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
    const allTaken$ = new Subject<void>();
    // Shared between simultaneous clients, so that many that do not read hold one text in memory.
    const status$ = answers.status$.pipe(
      map((text) => (typeof text === 'string' ? Buffer.from(text) : text)),
      share({
        connector: () => new ReplaySubject<Uint8Array>(1),
        resetOnComplete: () => merge(timer(FRESH), allTaken$),
        resetOnRefCountZero: false,
      }),
    );
    const serve$ = (socket: Socket): Observable<unknown> =>
      request$(socket).pipe(
        switchMap((request) => {
          if (request === FOLLOW) return follow$(socket, answers.follow$);
          taking.add(socket);
          return answer$(socket, status$);
        }),
        takeUntil(fromEvent(socket, 'close')),
      );
    // Half-open, because a client may close its side after the request.
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        if (taking.delete(socket) && taking.size === 0) allTaken$.next();
      });
      socket.on('error', () => undefined);
      serve$(socket).subscribe();
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
