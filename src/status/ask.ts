import { createConnection } from 'node:net';

import { catchError, map, Observable, of } from 'rxjs';

import { STATUS } from './socket.ts';

/** What a daemon said, or for each socket why none did. */
export type Answer =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problems: readonly string[] };

const PATIENCE = 3000;
/** Bytes of an answer. A status of 10,000 metrics that all fail is a part of this. */
export const MOST = 64 * 2 ** 20;

/** Whether a socket cannot be connected to because nobody is there. */
export const isAbsent = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED');

/** Why a socket cannot be read, in words. */
export const explained = ({ code, message }: NodeJS.ErrnoException): string => {
  if (code === 'ENOENT') return 'there is no such socket';
  if (code === 'ECONNREFUSED') return 'nobody listens there any more';
  if (code === 'EACCES') return 'not allowed for this user';
  return message;
};

/** What is sent on a socket until its end, in a bounded time. */
const answer$ = (path: string, patience: number): Observable<string> =>
  new Observable((subscriber) => {
    const socket = createConnection(path, () => socket.write(STATUS));
    const parts: Buffer[] = [];
    let size = 0;
    const fail = (reason: string, cause?: unknown): void =>
      subscriber.error(new Error(`${path}: ${reason}`, { cause }));
    const late = setTimeout(
      () => fail(`no answer within ${patience / 1000} s: the daemon hangs or is suspended`),
      patience,
    );
    socket.on('data', (data: Buffer) => {
      size += data.length;
      parts.push(data);
      if (size > MOST) fail('the answer has no end: this is not the socket of vhostmd');
    });
    socket.once('error', (error) => fail(explained(error), error));
    socket.once('end', () => {
      subscriber.next(Buffer.concat(parts).toString('utf8'));
      subscriber.complete();
    });
    return () => {
      clearTimeout(late);
      socket.destroy();
    };
  });

/** Asks the first of the sockets behind which there is anybody. Emits once, never errors. */
export const ask$ = (paths: readonly string[], patience = PATIENCE): Observable<Answer> => {
  const [path, ...others] = paths;
  if (path === undefined) return of({ ok: false, problems: [] });
  return answer$(path, patience).pipe(
    map((text) => ({ ok: true as const, text })),
    catchError((error: Error) => {
      const problem = error.message;
      // Not another daemon instead of one that hangs.
      if (!isAbsent(error.cause)) return of({ ok: false as const, problems: [problem] });
      return ask$(others, patience).pipe(
        map((answer) => (answer.ok ? answer : { ok: false as const, problems: [problem, ...answer.problems] })),
      );
    }),
  );
};
