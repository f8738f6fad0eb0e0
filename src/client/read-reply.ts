import {
  asyncScheduler,
  catchError,
  defer,
  filter,
  map,
  merge,
  of,
  retry,
  take,
  throwError,
  throwIfEmpty,
  timer,
} from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

import { CLOSING, OPENING } from '../model/metrics-xml.ts';
import { reasonOf } from '../model/reason.ts';
import { failure, type Result, success } from '../model/result.ts';
import { INVALID_REQUEST, REPLY_END } from '../sinks/virtio-serial/reply.ts';
import { quoted } from '../sinks/virtio-serial/socket-path.ts';

export interface ReadReplyOptions {
  /** Longest wait for a complete reply, in milliseconds. */
  readonly wait?: number;
  readonly scheduler?: SchedulerLike;
}

/** Largest reply in bytes: more than any host publishes. Protects against an endless device. */
const LARGEST = 64 * 1024 * 1024;

const INVALID = Symbol('INVALID REQUEST');

/** Assembles a reply. Drops remains of an earlier reply before it. */
const collector = (path: string) => {
  let chunks: string[] = [];
  let length = 0;
  let tail = '';
  const start = (): string => quoted(chunks.join('').slice(0, 40));
  const restart = (text: string): void => {
    chunks = [text];
    length = text.length;
    tail = text.slice(-INVALID_REQUEST.length);
  };
  const take = (bytes: Uint8Array): string | undefined => {
    const chunk = Buffer.from(bytes).toString('latin1');
    chunks.push(chunk);
    length += chunk.length;
    const look = tail + chunk;
    tail = look.slice(-INVALID_REQUEST.length);
    if (length > LARGEST) throw new Error(`${path} is not a channel of vhostmd: it sends endlessly`);
    if (!look.includes(REPLY_END) && !look.includes(INVALID_REQUEST)) return undefined;
    return found(chunks.join(''));
  };
  const found = (text: string): string | undefined => {
    const opening = text.indexOf(OPENING);
    const invalid = text.indexOf(INVALID_REQUEST);
    if (invalid !== -1 && (opening === -1 || invalid < opening)) throw INVALID;
    const end = text.indexOf(REPLY_END);
    if (end === -1) return undefined;
    const from = text.lastIndexOf(OPENING, end);
    if (from !== -1) return Buffer.from(text.slice(from, end + CLOSING.length), 'latin1').toString('utf8');
    restart(text.slice(end + REPLY_END.length));
    return found(chunks.join(''));
  };
  return {
    take,
    /** Describes the bytes received instead of a reply; `nothing` if there are none. */
    instead: (nothing: string): string => {
      if (length === 0) return nothing;
      return chunks.join('').includes(OPENING)
        ? `${path} sent only a part of a reply, ${length} bytes; try again, and look whether vhostmd runs on the host`
        : `${path} is not a channel of vhostmd: it sent ${start()}`;
    },
  };
};

/**
 * Finds the reply in the bytes that follow a request. `bytes$` opens, requests and closes; its error becomes the
 * message. `silent` is the explanation if nothing arrives. Emits once; a failure is a value.
 */
export const readReply$ = (
  path: string,
  bytes$: Observable<Uint8Array>,
  silent: string,
  { wait = 5000, scheduler = asyncScheduler }: ReadReplyOptions,
): Observable<Result<string>> =>
  defer(() => {
    let reply = collector(path);
    const once$ = defer(() => {
      reply = collector(path);
      return bytes$.pipe(
        map(reply.take),
        filter((xml) => xml !== undefined),
        throwIfEmpty(() => new Error(reply.instead(`${path} was closed without a reply; ${silent}`))),
      );
    });
    const read$ = once$.pipe(
      // An unfinished request of another reader may have corrupted the first one.
      retry({ count: 1, delay: (error: unknown) => (error === INVALID ? of(error) : throwError(() => error)) }),
      map(success),
      catchError((error: unknown) => {
        const message =
          error === INVALID ? `${path} answers INVALID REQUEST: it is not a channel of vhostmd` : undefined;
        return of(failure(message ?? reasonOf(error)));
      }),
    );
    const late$ = timer(wait, scheduler).pipe(
      map(() => failure(reply.instead(`${path} does not answer within ${wait / 1000} s: ${silent}`))),
    );
    return merge(read$, late$).pipe(take(1));
  });
