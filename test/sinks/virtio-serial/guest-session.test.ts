import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { allowance, guestSession } from '../../../src/sinks/virtio-serial/guest-session.ts';
import { INVALID_REQUEST } from '../../../src/sinks/virtio-serial/reply.ts';
import { REQUEST } from '../../../src/sinks/virtio-serial/request.ts';

const MEBIBYTE = 1024 * 1024;

/** A session with a guest on a virtual clock. `taken` false: the kernel does not take all bytes of a reply. */
const stage = () => {
  const time = new VirtualTimeScheduler();
  const budget = allowance(time);
  const sent: string[] = [];
  const line = { taken: true, resumed: 0 };
  const write = (text: string): boolean => {
    sent.push(text);
    return line.taken;
  };
  const connect = () => {
    let number = 0;
    const session = guestSession(
      budget,
      { write, resume: () => (line.resumed += 1) },
      () => `metrics ${(number += 1)}`,
      time,
    );
    return {
      ...session,
      /** Passes on text in a buffer that is overwritten afterwards, as the one of the sockets is. */
      send: (text: string): boolean => {
        const bytes = Buffer.from(`${text}more`, 'latin1');
        const goesOn = session.received(bytes, text.length);
        bytes.fill('?');
        return goesOn;
      },
    };
  };
  return {
    connect,
    ...connect(),
    sent,
    line,
    timers: (): number => time.actions.length,
    pass: (milliseconds: number): void => {
      time.maxFrames = time.frame + milliseconds;
      time.flush();
      time.frame = time.maxFrames;
    },
  };
};

describe('a session with a guest', () => {
  it('replies to each request in its order, and only to complete ones', () => {
    const { send, sent } = stage();
    expect(send('GET /met')).toBe(true);
    expect(sent).toEqual([]);
    expect(send(`rics/XML\n\nx\n\n${REQUEST}`)).toBe(true);
    expect(sent).toEqual(['metrics 1', INVALID_REQUEST, 'metrics 2']);
  });

  it('sends five replies at once and one more each second; the requests that wait are not lost', () => {
    const { send, sent, pass, line, timers } = stage();
    expect(send(REQUEST.repeat(5))).toBe(true);
    expect(send(`${REQUEST}x\n\nGET /met`)).toBe(false);
    expect(sent).toHaveLength(5);
    pass(999);
    expect(sent).toHaveLength(5);
    pass(1);
    expect(sent.slice(5)).toEqual(['metrics 6']);
    expect(line.resumed).toBe(0);
    pass(1000);
    expect(sent.slice(6)).toEqual([INVALID_REQUEST]);
    expect(line.resumed).toBe(1);
    expect(timers()).toBe(0);
    pass(1000);
    expect(send('rics/XML\n\n')).toBe(true);
    expect(sent.slice(7)).toEqual(['metrics 7']);
    pass(60_000);
    send(REQUEST.repeat(10));
    expect(sent).toHaveLength(13);
  });

  it('gives a guest no more replies after it has connected again', () => {
    const { connect, send, sent } = stage();
    send(REQUEST.repeat(5));
    expect(connect().send(REQUEST)).toBe(false);
    expect(sent).toHaveLength(5);
  });

  it('reads nothing more, and makes no other reply, until the guest has read the one before', () => {
    const { send, sent, line, drained, pass, timers } = stage();
    line.taken = false;
    expect(send(REQUEST)).toBe(false);
    drained();
    expect(line.resumed).toBe(1);
    expect(send(REQUEST.repeat(2))).toBe(false);
    pass(5000);
    expect([sent.length, timers()]).toEqual([2, 0]);
    line.taken = true;
    drained();
    expect(sent).toEqual(['metrics 1', 'metrics 2', 'metrics 3']);
    expect(line.resumed).toBe(2);
    drained();
    expect(line.resumed).toBe(2);
  });

  it('reads two mebibytes at once, and then as much as 64 KiB per second allow, 16 KiB at a time', () => {
    const { send, pass, line } = stage();
    expect(send('\n'.repeat(2 * MEBIBYTE - 1))).toBe(true);
    expect(send('\n')).toBe(false);
    pass(249);
    expect(line.resumed).toBe(0);
    pass(1);
    expect(line.resumed).toBe(1);
    expect(send('\n'.repeat(16 * 1024))).toBe(false);
    pass(250);
    expect(line.resumed).toBe(2);
    pass(1000);
    expect(send('\n'.repeat(16 * 1024))).toBe(true);
  });

  it('does nothing after it is closed', () => {
    const { send, sent, close, pass, timers } = stage();
    close();
    send(REQUEST.repeat(6));
    expect(timers()).toBe(1);
    close();
    pass(5000);
    expect(sent).toHaveLength(5);
  });
});
