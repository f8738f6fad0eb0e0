import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { dump$ } from '../../src/client/read-metrics.ts';
import type { Dump } from '../../src/client/read-metrics.ts';
import { sample } from '../../src/testing/snapshots.ts';
import { domain, REQUEST, snapshotOf, stage } from '../sinks/virtio-serial/qemu.ts';
import { PATIENCE } from '../support/patience.ts';

let directory = '';
let left: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'channel-'));
});
afterEach(async () => {
  for (const undo of left.reverse()) await undo();
  left = [];
  rmSync(directory, { recursive: true });
});

const at = (name: string): string => path.join(directory, name);
const serve = async (name: string, work: (socket: Socket) => void): Promise<string> => {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    work(socket);
  });
  await new Promise<void>((resolve) => server.listen(at(name), resolve));
  left.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return at(name);
};
/** Returns a handler of connections that answers each request with `reply`. */
const answer = (reply: (asked: string) => string) => (socket: Socket) => {
  socket.on('data', (bytes) => socket.write(reply(bytes.toString())));
};
/** Starts socat between two addresses. */
const socat = async (...addresses: readonly string[]): Promise<ChildProcess> => {
  const child = spawn('socat', [...addresses], { stdio: 'ignore' });
  left.push(() => child.kill('SIGKILL'));
  return child;
};
const there = (name: string): Promise<void> =>
  vi.waitFor(() => expect(existsSync(at(name))).toBe(true), 5000 * PATIENCE);
const PTY = (name: string): string => `pty,raw,echo=0,link=${at(name)}`;
/** Returns the path of a terminal that acts as the port of a guest, connected to this server. */
const port = async (work: (socket: Socket) => void): Promise<string> => {
  const server = await serve('behind', work);
  await socat(PTY('port'), `unix-connect:${server}`);
  await there('port');
  return at('port');
};
const dump = (target: string, wait = 300): Promise<Dump> => firstValueFrom(dump$(target, { wait }));
const failure = async (target: string, wait?: number): Promise<string> => {
  const result = await dump(target, wait);
  return result.ok ? 'no failure' : result.error;
};
/** Starts a sink that serves this channel. */
const vhostmd = (channel: string, value = 'v'): void => {
  const run = stage({ backoff: { first: 10, most: 50 } });
  left.push(run.close);
  run.publish(snapshotOf([domain(1, channel)], { host: [sample('A', value)] }));
};

const DOCUMENT = `<metrics>
  <metric type='string' context='host'>
    <name>A</name>
    <value>1</value>
  </metric>
</metrics>
`;
const METRICS = [{ context: 'host', name: 'A', type: 'string', value: '1' }];

describe('dump of a channel', () => {
  it('asks vhostmd at the port of a guest', async () => {
    await socat(PTY('port'), `unix-listen:${at('qemu')}`);
    await there('qemu');
    vhostmd(at('qemu'), 'x'.repeat(300_000));
    const result = await dump(at('port'), 5000);
    expect(result.ok && result.value.metrics).toEqual([
      { context: 'host', name: 'A', type: 'string', value: 'x'.repeat(300_000) },
      { context: 'vm', name: 'Guest', type: 'string', value: 'g1', id: '1', uuid: domain(1).uuid },
    ]);
  });

  it('asks vhostmd at a socket', async () => {
    // A socket's file exists before it accepts connections, so this test's own servers report when they do.
    let asker: Socket | undefined;
    const front = await serve('front', (socket) => (asker = socket));
    await serve('qemu', (socket) => asker?.pipe(socket).pipe(asker));
    const result = dump(front, 5000 * PATIENCE);
    await vi.waitFor(() => expect(asker).toBeDefined(), 5000 * PATIENCE);
    vhostmd(at('qemu'));
    expect(await result).toMatchObject({
      ok: true,
      value: { metrics: [{ name: 'A', value: 'v' }, { name: 'Guest' }] },
    });
  });

  it('gives the document as a disk has it, and no metrics where there are none yet', async () => {
    const one = await serve(
      'one',
      answer(() => `${DOCUMENT}\n`),
    );
    expect(await dump(one)).toEqual({ ok: true, value: { xml: DOCUMENT, metrics: METRICS } });
    const none = '<metrics>\n<!-- host metrics not available -->\n<!-- VM metrics not available -->\n</metrics>\n';
    const two = await serve(
      'two',
      answer(() => `${none}\n`),
    );
    expect(await dump(two)).toEqual({ ok: true, value: { xml: none, metrics: [] } });
  });

  it('sends the request as it is to be, and takes a reply in pieces', async () => {
    let asked = '';
    // One timer after the other: a loop that is late may reorder timers of different lengths.
    const inPieces = async (socket: Socket): Promise<void> => {
      for (const letter of `${DOCUMENT}\n`) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        socket.write(letter);
      }
    };
    const target = await serve(
      'one',
      (socket) =>
        void socket.on('data', (bytes) => {
          asked += bytes.toString();
          void inPieces(socket);
        }),
    );
    expect(await dump(target, 5000 * PATIENCE)).toMatchObject({ ok: true, value: { xml: DOCUMENT } });
    expect(asked).toBe(REQUEST);
  });

  it.each([
    ['a whole reply', `${DOCUMENT.replace('>1<', '>old<')}\n`],
    ['the end of a reply', `${DOCUMENT.replace('>1<', '>old<').slice(30)}\n`],
    ['a refusal', 'INVALID REQUEST\n\n'],
    ['the start of a reply', DOCUMENT.replace('>1<', '>old<').slice(0, 60)],
  ])('drops at a port what was left there of an earlier reply: %s', async (_what, stale) => {
    const target = await port((socket) => {
      socket.write(stale);
      answer(() => `${DOCUMENT}\n`)(socket);
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await dump(target, 3000)).toMatchObject({ ok: true, value: { xml: DOCUMENT } });
  });

  it('drops an earlier reply that comes a little later, and asks only then', async () => {
    let line: Socket | undefined;
    const target = await port((socket) => {
      line = socket;
      socket.on('data', () => setTimeout(() => socket.write(`${DOCUMENT}\n`), 100));
    });
    await vi.waitFor(() => expect(line).toBeDefined(), 5000 * PATIENCE);
    const result = dump(target, 3000);
    setTimeout(() => line?.write(`${DOCUMENT.replace('>1<', '>old<')}\n`), 25);
    expect(await result).toMatchObject({ ok: true, value: { xml: DOCUMENT } });
  });

  it('drops the end of an earlier reply also when it comes late', async () => {
    const target = await serve(
      'one',
      answer(() => `of an old one</metrics>\n\n${DOCUMENT}\n`),
    );
    expect(await dump(target)).toMatchObject({ ok: true, value: { xml: DOCUMENT } });
  });

  it('asks once more if the first request was spoilt by the start of another one', async () => {
    let count = 0;
    const reply = (): string => ((count += 1) === 1 ? 'INVALID REQUEST\n\n' : `${DOCUMENT}\n`);
    expect(await dump(await port(answer(reply)), 3000)).toMatchObject({ ok: true, value: { xml: DOCUMENT } });
    expect(count).toBe(2);
    const target = await serve(
      'never',
      answer(() => 'INVALID REQUEST\n\n'),
    );
    expect(await failure(target)).toBe(`${target} answers INVALID REQUEST: it is not a channel of vhostmd`);
  });

  it('waits no longer than it is told to, and says what may be wrong', async () => {
    const silent = await serve('silent', () => undefined);
    expect(await failure(silent)).toBe(
      `${silent} does not answer within 0.3 s: no vhostmd serves it; if it is QEMU's side of a channel, ask in the guest, at /dev/virtio-ports/org.github.vhostmd.1`,
    );
    const target = await port(() => undefined);
    expect(await failure(target)).toContain(
      'does not answer within 0.3 s: no vhostmd is connected to it on the host; look whether vhostmd runs there',
    );
  });

  it('reports an incomplete reply, and files that are no channel', async () => {
    const half = await serve(
      'half',
      answer(() => DOCUMENT),
    );
    expect(await failure(half, 1000 * PATIENCE)).toContain(
      `${half} sent only a part of a reply, ${DOCUMENT.length} bytes`,
    );
    const closed = await serve('closed', (socket) => void socket.on('data', () => socket.end(DOCUMENT.slice(0, 50))));
    expect(await failure(closed, 1000 * PATIENCE)).toContain(`${closed} sent only a part of a reply, 50 bytes`);
    const gone = await serve('gone', (socket) => socket.end());
    expect(await failure(gone, 1000 * PATIENCE)).toContain(`${gone} was closed without a reply`);
    const other = await serve('other', (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\u001b'));
    expect(await failure(other, 1000 * PATIENCE)).toBe(
      `${other} is not a channel of vhostmd: it sent "HTTP/1.1 400 Bad Request\\r\\n\\u{1b}"`,
    );
  });

  it('reports a document that is not well-formed', async () => {
    const target = await serve(
      'one',
      answer(() => '<metrics>\n<metric>\n</metrics>\n\n'),
    );
    expect(await failure(target)).toContain('holds no well-formed document');
  });

  it('ends with devices that never end, and those that give nothing', async () => {
    expect(await failure('/dev/zero', 20_000)).toBe('/dev/zero is not a channel of vhostmd: it sends endlessly');
    expect(await failure('/dev/null')).toContain('/dev/null does not answer within 0.3 s');
  });

  it('reports sockets without a listener, and missing files', async () => {
    const child = await socat(`unix-listen:${at('dead')}`, 'stdout');
    await there('dead');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(await failure(at('dead'))).toBe(`${at('dead')} refuses the connection: nobody listens on it any more`);
    expect(await failure(at('none'))).toContain(`${at('none')} cannot be read: ENOENT`);
  });

  it('reports a socket that this user may not use', async () => {
    const { seteuid, getuid } = process;
    if (getuid?.() !== 0 || seteuid === undefined) throw new Error('this needs root');
    const target = await serve('one', () => undefined);
    chmodSync(directory, 0o755);
    chmodSync(target, 0o700);
    seteuid(65534);
    try {
      expect(await failure(target)).toBe(`${target} may not be opened by this user; try again as root`);
    } finally {
      seteuid(0);
    }
  });

  it('reports a port whose other side disconnects in mid-reply', async () => {
    const target = await port((socket) => void socket.once('data', () => socket.end(DOCUMENT.slice(0, 50))));
    expect(await failure(target, 2000)).toMatch(/was closed on its other side|sent only a part of a reply/);
  });
});
