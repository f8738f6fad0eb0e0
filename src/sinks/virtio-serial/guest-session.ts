import type { SchedulerLike, Subscription } from 'rxjs';

import type { Bucket } from './token-bucket.ts';
import { tokenBucket } from './token-bucket.ts';
import { INVALID_REQUEST } from './reply.ts';
import { readRequest, START } from './request.ts';

/** What one guest may cost. It outlives a connection, so that a new connection gives a guest nothing. */
export interface Allowance {
  readonly replies: Bucket;
  readonly bytes: Bucket;
}

/** Replies of any kind to one guest. */
const REPLIES_PER_SECOND = 1;
const REPLY_BURST = 5;
/** Bytes from one guest: a megabyte of garbage goes at once, an endless flood costs next to nothing. */
const BYTES_PER_SECOND = 64 * 1024;
const BYTE_BURST = 2 * 1024 * 1024;
/** Bytes that are taken in one go after a pause. */
const BYTE_STEP = 16 * 1024;

export const allowance = (scheduler: SchedulerLike): Allowance => ({
  replies: tokenBucket(REPLIES_PER_SECOND, REPLY_BURST, () => scheduler.now()),
  bytes: tokenBucket(BYTES_PER_SECOND, BYTE_BURST, () => scheduler.now()),
});

/** The socket as the session sees it. */
export interface Line {
  /** False if the kernel has not taken it all. `session.drained` is to be called when it has, and may be at other times. */
  readonly write: (text: string) => boolean;
  /** Reading goes on after `received` has said to pause. */
  readonly resume: () => void;
}

export interface Session {
  /** Takes bytes, which are only valid during the call. False: read no more until told to resume. */
  readonly received: (bytes: Uint8Array, length: number) => boolean;
  readonly drained: () => void;
  readonly close: () => void;
}

/**
 * Answers the requests of one connection in their order. What is beyond the rate waits, and so does everything while
 * a reply has not been taken: nothing is read meanwhile, so what the guest sends stays on its side.
 */
export const session = (
  { replies, bytes: budget }: Allowance,
  line: Line,
  reply: () => string,
  scheduler: SchedulerLike,
): Session => {
  let reading = START;
  let due: string | undefined;
  /** What came behind a request that waits for its answer. */
  let rest: Uint8Array | undefined;
  let writing = false;
  let timer: Subscription | undefined;

  const later = (delay: number): void => {
    timer = scheduler.schedule(() => {
      timer = undefined;
      goOn();
    }, delay);
  };

  /** True if all was read and answered; if not, something has been arranged that goes on later. */
  const work = (bytes: Uint8Array, from: number, to: number): boolean => {
    let at = from;
    for (;;) {
      if (due !== undefined) {
        const wait = writing ? 0 : replies.wait(1);
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
