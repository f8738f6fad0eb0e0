import { createConnection } from 'node:net';

import { catchError, concat, defaultIfEmpty, EMPTY, map, Observable, take } from 'rxjs';

/** Nobody answered; `problems` says for each socket why. */
export interface NoAnswer {
  readonly ok: false;
  readonly problems: readonly string[];
}

const PATIENCE = 3000;
// A status of 10,000 metrics that all fail is a part of this.
const MOST = 64 * 2 ** 20;

const explained = ({ code, message }: NodeJS.ErrnoException): string => {
  if (code === 'ENOENT') return 'there is no such socket';
  if (code === 'ECONNREFUSED') return 'nobody listens there any more';
  if (code === 'EACCES') return 'not allowed for this user';
  return message;
};

/** What is sent on a socket until its end, in a bounded time. */
const answer$ = (path: string, patience: number): Observable<string> =>
  new Observable((subscriber) => {
    const socket = createConnection(path);
    const parts: Buffer[] = [];
    let size = 0;
    const fail = (reason: string): void => subscriber.error(new Error(`${path}: ${reason}`));
    const late = setTimeout(
      () => fail(`no answer within ${patience / 1000} s: the daemon hangs or is suspended`),
      patience,
    );
    socket.on('data', (data: Buffer) => {
      size += data.length;
      parts.push(data);
      if (size > MOST) fail('the answer has no end: this is not the socket of vhostmd');
    });
    socket.once('error', (error) => fail(explained(error)));
    socket.once('end', () => {
      subscriber.next(Buffer.concat(parts).toString('utf8'));
      subscriber.complete();
    });
    return () => {
      clearTimeout(late);
      socket.destroy();
    };
  });

/** Asks the first of the sockets that answers. Emits once, never errors. */
export const ask$ = (
  paths: readonly string[],
  patience = PATIENCE,
): Observable<{ readonly ok: true; readonly text: string } | NoAnswer> => {
  const problems: string[] = [];
  const tries = paths.map((path) =>
    answer$(path, patience).pipe(
      map((text) => ({ ok: true as const, text })),
      catchError((error: Error) => {
        problems.push(error.message);
        return EMPTY;
      }),
    ),
  );
  return concat(...tries).pipe(take(1), defaultIfEmpty({ ok: false as const, problems }));
};
