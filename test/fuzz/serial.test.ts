import fc from 'fast-check';
import { Subscription } from 'rxjs';
import type { SchedulerLike } from 'rxjs';
import { expect, it } from 'vitest';

import { tokenBucket } from '../../src/sinks/virtio-serial/token-bucket.ts';
import { INVALID_REQUEST } from '../../src/sinks/virtio-serial/reply.ts';
import { allowance, guestSession } from '../../src/sinks/virtio-serial/guest-session.ts';
import { fuzz, joined, TIMEOUT } from './fuzz.ts';

const METRICS = '<metrics>\n</metrics>\n\n';
const BURST = 5;
/** Largest chunk that Node passes to the session. */
const LARGEST = 4096;

/** A clock that only `pass` advances; `waiting` has the scheduled work. */
const clock = () => {
  let now = 0;
  const waiting: { readonly at: number; readonly work: () => void }[] = [];
  const scheduler: SchedulerLike = {
    now: () => now,
    schedule: (work, delay) => {
      const entry = { at: now + (delay ?? 0), work: () => (work as () => void)() };
      waiting.push(entry);
      return new Subscription(() => {
        const index = waiting.indexOf(entry);
        if (index >= 0) waiting.splice(index, 1);
      });
    },
  };
  const pass = (time: number): void => {
    const end = now + time;
    for (;;) {
      const next = waiting.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      waiting.splice(waiting.indexOf(next), 1);
      now = Math.max(now, next.at);
      next.work();
    }
    now = end;
  };
  return { scheduler, pass, waiting };
};

/** A slow and simple model: returns all requests of a text, with the index of the last byte of each. */
const model = (text: string): readonly { readonly reply: string; readonly end: number }[] => {
  const found: { readonly reply: string; readonly end: number }[] = [];
  let held = '';
  for (let index = 0; index < text.length; index += 1) {
    held += text[index];
    if (held === '\n' || held === '\r\n') held = '';
    if (held.length === 513) found.push({ reply: INVALID_REQUEST, end: index });
    if (!held.endsWith('\n\n') && !held.endsWith('\n\r\n')) continue;
    const good = held === 'GET /metrics/XML\n\n' || held === 'GET /metrics/XML\r\n\r\n';
    if (held.length <= 512) found.push({ reply: good ? METRICS : INVALID_REQUEST, end: index });
    held = '';
  }
  return found;
};

const PARTS = [
  'GET /metrics/XML\n\n',
  'GET /metrics/XML\r\n\r\n',
  'GET /metrics/XML',
  'GET ',
  'get /metrics/xml\n\n',
  '\n',
  '\n\n',
].concat(
  '\r',
  '\r\n',
  '\r\n\r\n',
  '\0',
  'x',
  '\xff',
  ' ',
  'y'.repeat(509),
  'z'.repeat(256),
  'GET /metrics/XML\n\r\n',
  '\n\r\r\n',
);
const request = fc.oneof(
  { weight: 4, arbitrary: joined(PARTS, 6) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...PARTS), fc.nat({ max: 20 })).map(([part, times]) => part.repeat(times)),
  },
);
/**
 * The guest's bytes, the sizes of their pieces and the pauses between them in ms; and how long the kernel delays which
 * replies.
 */
const talk = fc.record({
  texts: fc.array(request, { maxLength: 8 }),
  sizes: fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: LARGEST })), {
    minLength: 1,
    maxLength: 6,
  }),
  pauses: fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 3000 })), { minLength: 1, maxLength: 4 }),
  stalls: fc.array(fc.oneof(fc.constant(-1), fc.nat({ max: 9000 })), { minLength: 1, maxLength: 4 }),
  few: fc.integer({ min: -3, max: 3 }),
});

const cyclic = <T>(values: readonly T[], index: number, none: T): T => values[index % values.length] ?? none;

it(
  'FAULTS 59-62, 65, 66: whatever a guest sends, in whatever pieces, it gets what it asked for and no more than its due',
  { timeout: TIMEOUT },
  () => {
    const counts = { replies: 0, waited: 0, stalled: 0, paused: 0 };
    fuzz('serial requests', talk, ({ texts, sizes, pauses, stalls, few }) => {
      const text = texts.join('');
      const due = model(text);
      const { scheduler, pass, waiting } = clock();
      const replies: { readonly text: string; readonly at: number }[] = [];
      let mayRead = true;
      let stalled: number | undefined;
      let inCall = false;
      const write = (reply: string): boolean => {
        if (stalled !== undefined) expect.fail('a second reply is held while the first has not been taken');
        const stall = cyclic(stalls, replies.length, -1);
        replies.push({ text: reply, at: scheduler.now() });
        if (stall >= 0) stalled = scheduler.now() + stall;
        return stall < 0;
      };
      const reads = (): boolean => mayRead;
      const resume = (): void => {
        if (mayRead || inCall) expect.fail('resumed without a pause');
        mayRead = true;
      };
      // A small budget of bytes for some cases, so that this limit is reached, too.
      const budget = allowance(scheduler);
      const bytes = few > 0 ? tokenBucket(few * 64, 512, () => scheduler.now()) : budget.bytes;
      const talking = guestSession({ replies: budget.replies, bytes }, { write, resume }, () => METRICS, scheduler);
      const wait = (time: number): void => {
        let left = time;
        while (stalled !== undefined && stalled <= scheduler.now() + left) {
          const until = stalled - scheduler.now();
          pass(until);
          left -= until;
          stalled = undefined;
          counts.stalled++;
          talking.drained();
        }
        pass(left);
        if (waiting.length > 1) expect.fail(`${waiting.length} timers for one guest`);
      };
      let sent = 0;
      const arrived: number[] = [];
      for (let piece = 0; sent < text.length; piece += 1) {
        wait(cyclic(pauses, piece, 0));
        for (let patience = 0; patience < 2000 && !reads(); patience += 1) {
          counts.paused++;
          wait(1000);
        }
        if (!reads()) expect.fail('never read on');
        const chunk = Buffer.from(text.slice(sent, sent + cyclic(sizes, piece, 1)), 'latin1');
        inCall = true;
        mayRead = talking.received(chunk, chunk.length);
        inCall = false;
        // Other guests reuse the buffer at once.
        chunk.fill(0x55);
        for (let index = 0; index < chunk.length; index += 1) arrived.push(scheduler.now());
        sent += chunk.length;
      }
      for (let patience = 0; replies.length < due.length && patience < 2000; patience += 1) wait(1000);
      wait(600_000);
      if (!mayRead || waiting.length > 0 || stalled !== undefined) expect.fail('it is not at rest');
      talking.close();

      if (replies.length !== due.length || replies.some((reply, index) => reply.text !== due[index]?.reply))
        expect(replies.map((reply) => reply.text)).toEqual(due.map(({ reply }) => reply));
      counts.replies += replies.length;
      for (const [index, { at }] of replies.entries()) {
        const asked = arrived[due[index]?.end ?? 0] ?? 0;
        if (at < asked) expect.fail(`reply ${index} came before its request`);
        if (at > asked) counts.waited++;
        // Any BURST + n replies in a row take at least n seconds; half a millisecond allows for rounding.
        for (let many = BURST; many <= index; many += 1)
          if (at - (replies[index - many]?.at ?? 0) < (many + 1 - BURST) * 1000 - 0.5)
            expect.fail(`${many + 1} replies too fast`);
      }
    });
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
  },
);
