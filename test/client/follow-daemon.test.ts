import { createServer, type Socket } from 'node:net';
import path from 'node:path';

import { asyncScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { escapeXml } from '../../src/model/metrics-xml.ts';
import { FOLLOW } from '../../src/daemon/status/socket.ts';
import { followDaemon$ } from '../../src/client/follow-daemon.ts';
import type { DiskEvent } from '../../src/client/follow-disk.ts';
import { until } from '../support/daemon.ts';
import { socketStage } from '../support/sockets.ts';
import { PATIENCE } from '../support/patience.ts';

const { left, place } = socketStage();

/** Listens in the daemon's place; `say` sends a text to all followers. */
const serve = async (file: string) => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => data.toString() === FOLLOW && sockets.add(socket));
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  left.push(close);
  const say = async (text: string): Promise<void> => {
    await until('a follower', () => sockets.size > 0);
    for (const socket of sockets) socket.write(text);
  };
  return { say, close };
};

const followed = (...paths: readonly string[]): readonly DiskEvent[] => {
  const events: DiskEvent[] = [];
  const subscription = followDaemon$(paths, asyncScheduler).subscribe((event) => events.push(event));
  left.push(() => subscription.unsubscribe());
  return events;
};

const documentOf = (value: string): string =>
  `<metrics>\n  <metric type='string' context='vm' id='1' uuid='u'>\n    <name>A</name>\n    <value>${escapeXml(value)}</value>\n  </metric>\n</metrics>\n`;
const line = (value: string, ageSeconds = 0): string =>
  `${JSON.stringify({ ageSeconds, names: { u: 'web\u00e91' }, document: documentOf(value) }).replace('\u00e9', '\\u00e9')}\n`;
const brief = (events: readonly DiskEvent[]): readonly string[] =>
  events.map((event) => {
    if (event.kind === 'trouble') return event.message;
    return event.kind === 'alive' ? 'alive' : `${event.metrics.vms[0]?.metrics[0]?.value} of ${event.names?.get('u')}`;
  });

describe('the daemon that is followed', () => {
  it('emits documents with the names of domains, and that a document without changes is alive', async () => {
    const file = place();
    const { say } = await serve(file);
    const events = followed(file);
    const before = asyncScheduler.now();
    const [start, end] = [line('1', 2).slice(0, 30), line('1', 2).slice(30)];
    await say(start);
    await say(end + line('1') + line('2'));
    await until('all', () => events.length === 3);
    expect(brief(events)).toEqual(['1 of web\u00e91', 'alive', '2 of web\u00e91']);
    const [first] = events;
    const at = first?.kind === 'document' ? first.at : 0;
    expect(at).toBeGreaterThanOrEqual(before - 2000);
    expect(at).toBeLessThan(asyncScheduler.now() - 1000);
  });

  it('is waited for, which is reported once, and is followed again when it is back', async () => {
    const file = place();
    const events = followed(file);
    await until('a second try', () => asyncScheduler.now() > 0 && events.length === 1);
    const one = await serve(file);
    await one.say(line('1'));
    await until('the first', () => events.length === 2);
    one.close();
    await until('the end', () => events.length === 3);
    const two = await serve(file);
    await two.say(line('1'));
    await until('the second', () => events.length === 4);
    expect(brief(events)).toEqual([
      `${file}: there is no such socket`,
      '1 of web\u00e91',
      `${file}: the daemon has ended`,
      '1 of web\u00e91',
    ]);
  });

  it('is the first that is there', async () => {
    const file = place();
    const { say } = await serve(file);
    const events = followed(path.join(path.dirname(file), 'other.sock'), file);
    await say(line('1'));
    await until('the document', () => events.length === 1);
    expect(brief(events)).toEqual(['1 of web\u00e91']);
  });

  it.each([
    ['no JSON', 'hello\n', 'The answer is not from vhostmd, or from another version of it'],
    ['other JSON', '{"well":true}\n', 'The answer is not from vhostmd, or from another version of it'],
    ['null', 'null\n', 'The answer is not from vhostmd, or from another version of it'],
  ])('is not believed where it says %s', async (_what, text, message) => {
    const file = place();
    const { say } = await serve(file);
    const events = followed(file);
    await say(text);
    await until('the message', () => events.length === 1);
    expect(brief(events)).toEqual([message]);
  });

  it('that never ends a line is left', { timeout: 30_000 * PATIENCE }, async () => {
    const file = place();
    const { say } = await serve(file);
    const events = followed(file);
    await say('x'.repeat(65 << 20));
    await until('the message', () => events.length === 1, 20_000);
    expect(brief(events)[0]).toContain('a line has no end');
  });
});
