import { createConnection } from 'node:net';

import { catchError, defer, map, Observable, of, tap, throwError } from 'rxjs';

import { codeOf } from '../model/reason.ts';
import { failure, type Result, success } from '../model/result.ts';
import { STATUS } from '../daemon/status/socket.ts';

/** The daemon's reply, or why each socket failed. */
export type Answer = Result<string, readonly string[]>;

const PATIENCE = 3000;
/** Largest answer in bytes; a status of 10,000 failing metrics is smaller. */
export const MOST = 64 * 2 ** 20;

/** True if a connection failed because no daemon listens on the socket. */
const isAbsent = (cause: unknown): boolean => ['ENOENT', 'ECONNREFUSED'].includes(codeOf(cause) ?? '');

/** Describes why a socket cannot be read. */
export const explained = ({ code, message }: NodeJS.ErrnoException): string => {
  if (code === 'ENOENT') return 'there is no such socket';
  if (code === 'ECONNREFUSED') return 'nobody listens there any more';
  if (code === 'EACCES') return 'not allowed for this user';
  return message;
};

/** Requests the status on a socket and emits the whole answer. Errors after `patience` milliseconds. */
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

/** Opens the first socket on which a daemon listens. If there is none, errors with the failure of the last one. */
export const firstOf = <T>(
  [path = '', ...others]: readonly string[],
  open$: (path: string) => Observable<T>,
): Observable<T> =>
  open$(path).pipe(
    catchError((error: Error) =>
      // A daemon that hangs, or denies access, must not be mistaken for an absent one.
      others.length > 0 && isAbsent(error.cause) ? firstOf(others, open$) : throwError(() => error),
    ),
  );

/** Requests the status on the first socket on which a daemon listens. Emits once, never errors. */
export const ask$ = (paths: readonly string[], patience = PATIENCE): Observable<Answer> =>
  defer(() => {
    const problems: string[] = [];
    const noted$ = (path: string): Observable<string> =>
      answer$(path, patience).pipe(tap({ error: ({ message }: Error) => problems.push(message) }));
    return firstOf(paths, noted$).pipe(
      map(success),
      catchError(() => of(failure(problems))),
    );
  });
