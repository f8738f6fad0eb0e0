import { createConnection } from 'node:net';

import { catchError, concat, defer, distinctUntilChanged, map, Observable, of, retry, throwError, timer } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import { reasonOf } from '../model/reason.ts';
import { explained, firstOf, MOST } from './status-request.ts';
import { FOLLOW, type Told } from '../daemon/status/socket.ts';
import type { DiskEvent } from './follow-disk.ts';
import { parseDocument } from './watch-document.ts';

/** Milliseconds between tries to reach a daemon that is gone. */
const AGAIN = 1000;

/** Lines that a daemon sends while it runs. Errors when the connection ends. */
const line$ = (path: string): Observable<string> =>
  new Observable((subscriber) => {
    const socket = createConnection(path, () => socket.write(FOLLOW));
    const fail = (reason: string, cause?: unknown): void =>
      subscriber.error(new Error(`${path}: ${reason}`, { cause }));
    let parts: readonly string[] = [];
    let size = 0;
    socket.setEncoding('latin1');
    socket.on('data', (data: string) => {
      const [first = '', ...others] = data.split('\n');
      parts = [...parts, first];
      size += data.length;
      for (const other of others) {
        subscriber.next(parts.join(''));
        [parts, size] = [[other], other.length];
      }
      if (size > MOST) fail('a line has no end: this is not the socket of vhostmd');
    });
    socket.once('error', (error) => fail(explained(error), error));
    socket.once('end', () => fail('the daemon has ended'));
    return () => socket.destroy();
  });

const toldBy = (line: string): Told => {
  try {
    const told = JSON.parse(line) as Told;
    if (typeof told.document === 'string' && typeof told.ageSeconds === 'number') return told;
  } catch {
    // Below.
  }
  throw new Error('The answer is not from vhostmd, or from another version of it');
};

/**
 * Follows the running daemon on its status socket, which has the names of the domains and needs no disk. Reports a
 * failure once and retries. Never errors.
 */
export const followDaemon$ = (paths: readonly string[], scheduler: SchedulerLike): Observable<DiskEvent> =>
  defer(() => {
    let before = '';
    return firstOf(paths, line$).pipe(
      map((line): DiskEvent => {
        const { ageSeconds, names, document } = toldBy(line);
        const at = scheduler.now() - ageSeconds * 1000;
        if (document === before) return { kind: 'alive', at };
        const metrics = parseDocument(document);
        before = document;
        return { kind: 'document', metrics, at, isExact: true, names: new Map(Object.entries(names)) };
      }),
    );
  }).pipe(
    catchError((error: unknown) =>
      concat(
        of<DiskEvent>({ kind: 'trouble', message: reasonOf(error) }),
        throwError(() => error),
      ),
    ),
    retry({ delay: () => timer(AGAIN, scheduler) }),
    distinctUntilChanged(
      (one, other) => one.kind === 'trouble' && other.kind === 'trouble' && one.message === other.message,
    ),
  );
