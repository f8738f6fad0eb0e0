import type { SchedulerLike, Subscription } from 'rxjs';

import type { Bucket } from './token-bucket.ts';
import { tokenBucket } from './token-bucket.ts';
import { INVALID_REQUEST } from './reply.ts';
import { readRequest, START } from './request.ts';

/** Budget of one guest. It outlives a connection, so that a guest gains nothing by reconnecting. */
export interface Allowance {
  readonly replies: Bucket;
  readonly bytes: Bucket;
}

/** Replies of any kind to one guest per second. */
const REPLIES_PER_SECOND = 1;
const REPLY_BURST = 5;
/** Bytes from one guest per second: a megabyte of garbage passes at once, an endless flood costs little. */
const BYTES_PER_SECOND = 64 * 1024;
const BYTE_BURST = 2 * 1024 * 1024;
/** Bytes that are read at once after a pause. */
const BYTE_STEP = 16 * 1024;

export const allowance = (scheduler: SchedulerLike): Allowance => ({
  replies: tokenBucket(REPLIES_PER_SECOND, REPLY_BURST, () => scheduler.now()),
  bytes: tokenBucket(BYTES_PER_SECOND, BYTE_BURST, () => scheduler.now()),
});

/** Interface of the socket for a session. */
export interface Line {
  /** Returns false if the kernel has not taken all bytes; `session.drained` is called at the latest when it has. */
  readonly write: (text: string) => boolean;
  /** Resumes reading after `received` has returned false. */
  readonly resume: () => void;
}

export interface GuestSession {
  /** Processes bytes, which are valid during the call only. Returns false to pause reading until `resume`. */
  readonly received: (bytes: Uint8Array, length: number) => boolean;
  readonly drained: () => void;
  readonly close: () => void;
}

/**
 * Replies to the requests of one connection in their order. Requests beyond the rate wait, and so does everything while
 * the guest has not read a reply: nothing is read meanwhile, so that further bytes stay on the guest's side.
 */
export const guestSession = (
  { replies, bytes: budget }: Allowance,
  line: Line,
  reply: () => string,
  scheduler: SchedulerLike,
): GuestSession => {
  // Mutable, because the callbacks of a socket share it, and each must return at once if reading continues.
  let reading = START;
  let due: string | undefined;
  /** Bytes after a request that waits for its reply. */
  let rest: Uint8Array | undefined;
  let writing = false;
  let timer: Subscription | undefined;

  const later = (delay: number): void => {
    timer = scheduler.schedule(() => goOn(), delay);
  };

  /** Returns true if all bytes were processed, else false; then a timer or an event continues later. */
  const work = (bytes: Uint8Array, from: number, to: number): boolean => {
    let at = from;
    for (;;) {
      if (due !== undefined) {
        const wait = replies.wait(1);
        if (writing || wait > 0) {
          rest = new Uint8Array(bytes.subarray(at, to));
          if (!writing) later(wait);
          return false;
        }
        replies.spend(1);
        writing = !line.write(due === 'metrics' ? reply() : INVALID_REQUEST);
        due = undefined;
      }
      const step = readRequest(reading, bytes, at, to);
      ({ reading, at, request: due } = step);
      if (due === undefined) return true;
    }
  };

  const mayRead = (): boolean => {
    if (writing) return false;
    if (budget.wait(1) === 0) return true;
    later(budget.wait(BYTE_STEP));
    return false;
  };

  const goOn = (): void => {
    const held = rest ?? new Uint8Array();
    rest = undefined;
    if (work(held, 0, held.length) && mayRead()) line.resume();
  };

  return {
    received: (bytes, length) => {
      budget.spend(length);
      return work(bytes, 0, length) && mayRead();
    },
    drained: () => {
      if (!writing) return;
      writing = false;
      goOn();
    },
    close: () => timer?.unsubscribe(),
  };
};
