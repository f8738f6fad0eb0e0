import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';

import { defer, finalize, firstValueFrom, NEVER, type Observable, of, Subject, type Subscription } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { ask$ } from '../../../src/client/status-request.ts';
import {
  FOLLOW,
  makeSocketFolder,
  ownSocketPath,
  socketPaths,
  statusSocket$,
} from '../../../src/daemon/status/socket.ts';
import { openFiles } from '../../../src/testing/contract.ts';
import { until } from '../../support/daemon.ts';
import { socketStage } from '../../support/sockets.ts';
import { PATIENCE } from '../../support/patience.ts';

const { left, place } = socketStage();
const serve = async (
  file: string,
  answer: () => string,
  follow$: Observable<string> = NEVER,
): Promise<{ errors: string[]; subscription: Subscription }> => {
  const errors: string[] = [];
  let ready = false;
  const status$ = defer(() => of(answer()));
  const subscription = statusSocket$(file, { status$, follow$ }).subscribe({
    next: () => (ready = true),
    error: (error: Error) => errors.push(error.message),
  });
  left.push(() => subscription.unsubscribe());
  await until('an outcome', () => ready || errors.length > 0);
  return { errors, subscription };
};
const answered = async (...paths: readonly string[]) => await firstValueFrom(ask$(paths, 300));

describe('the path of the status socket', () => {
  it.each([
    [{ RUNTIME_DIRECTORY: '/run/a:/run/b' }, 5, '/run/a/status.sock'],
    [{ RUNTIME_DIRECTORY: '/run/a', XDG_RUNTIME_DIR: '/run/user/5' }, 0, '/run/a/status.sock'],
    [{ XDG_RUNTIME_DIR: '/run/user/0' }, 0, '/run/vhostmd/status.sock'],
    [{ XDG_RUNTIME_DIR: '/run/user/5' }, 5, '/run/user/5/vhostmd/status.sock'],
    [{ RUNTIME_DIRECTORY: '' }, 5, undefined],
  ])('with %j for user %d is %s', (environment, uid, expected) => {
    expect(ownSocketPath(environment, uid)).toBe(expected);
  });

  it("is looked for among this user's first, then among the system's", () => {
    expect(socketPaths({ XDG_RUNTIME_DIR: '/x' }, 5)).toEqual(['/x/vhostmd/status.sock', '/run/vhostmd/status.sock']);
    expect(socketPaths({}, 0)).toEqual(['/run/vhostmd/status.sock']);
    expect(socketPaths({}, 5)).toEqual(['/run/vhostmd/status.sock']);
    expect(socketPaths({ RUNTIME_DIRECTORY: '/r' }, 0)).toEqual(['/r/status.sock']);
  });
});

describe('the status socket', () => {
  it('answers each time anew, for its user and group only, and is gone at the end', async () => {
    const file = place();
    const before = openFiles();
    let count = 0;
    const { subscription } = await serve(file, () => `answer ${(count += 1)}`);
    expect(await answered(file)).toEqual({ ok: true, value: 'answer 1' });
    expect(await answered(file)).toEqual({ ok: true, value: 'answer 2' });
    expect(lstatSync(file).mode & 0o777).toBe(0o660);
    subscription.unsubscribe();
    expect(existsSync(file)).toBe(false);
    await until('all files are closed', () => openFiles().length === before.length);
  });

  it('leaves that of another daemon alone', async () => {
    const file = place();
    await serve(file, () => 'first');
    const second = await serve(file, () => 'second');
    expect(second.errors).toEqual([`${file} is in use: another program listens there`]);
    second.subscription.unsubscribe();
    expect(await answered(file)).toEqual({ ok: true, value: 'first' });
  });

  it('takes over a socket without a server', async () => {
    const file = place();
    spawnSync(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(file)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]);
    expect(lstatSync(file).isSocket()).toBe(true);
    const { errors } = await serve(file, () => 'mine');
    expect(errors).toEqual([]);
    expect(await answered(file)).toEqual({ ok: true, value: 'mine' });
  });

  it.each(['a file', 'a link'])('touches nothing but sockets: %s', async (kind) => {
    const file = place();
    const target = path.join(path.dirname(file), 'target');
    writeFileSync(target, 'precious');
    if (kind === 'a file') writeFileSync(file, 'precious');
    else symlinkSync(target, file);
    const { errors, subscription } = await serve(file, () => 'mine');
    expect(errors[0]).toContain(`${file} is in the way: it is not a socket`);
    subscription.unsubscribe();
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  it('does not remove a file that has taken its place', async () => {
    const file = place();
    const { subscription } = await serve(file, () => 'first');
    rmSync(file);
    await serve(file, () => 'second');
    subscription.unsubscribe();
    expect(await answered(file)).toEqual({ ok: true, value: 'second' });
  });

  it('refuses a path that does not fit, instead of making another one', async () => {
    const file = path.join(path.dirname(place()), 'x'.repeat(100));
    expect((await serve(file, () => '')).errors[0]).toMatch(/is too long for a socket: at most 99 bytes/);
  });

  it('is not held up by clients that do not read, or write without end', async () => {
    const file = place();
    await serve(file, () => 'x'.repeat(4 << 20));
    for (let count = 0; count < 100; count += 1) {
      const socket = connect(file);
      socket.on('error', () => undefined);
      socket.pause();
      socket.write('x'.repeat(1 << 16));
      left.push(() => socket.destroy());
    }
    const answer = await firstValueFrom(ask$([file], 3000 * PATIENCE));
    expect(answer.ok && answer.value.length).toBe(4 << 20);
  });
});

/** Connects, sends the request if there is one, and collects the answer. */
const connected = (file: string, request?: string) => {
  const socket = connect({ path: file, allowHalfOpen: true });
  let text = '';
  let ended = false;
  socket.setEncoding('utf8');
  socket.on('data', (data: string) => (text += data));
  socket.once('end', () => (ended = true));
  socket.on('error', () => undefined);
  if (request !== undefined) socket.write(request);
  left.push(() => socket.destroy());
  return { socket, text: () => text, ended: () => ended };
};

describe('the request', () => {
  it.each([
    ['is missing', undefined],
    ['is something else', 'GET / HTTP/1.1\r\n\r\n'],
    ['is for the status', 'status\n'],
  ])('that %s gets the status', async (_what, request) => {
    const file = place();
    await serve(file, () => 'well');
    const { text, ended } = connected(file, request);
    await until('the answer', ended);
    expect(text()).toBe('well');
  });

  it('that is missing because nothing more will come gets the status, too', async () => {
    const file = place();
    await serve(file, () => 'well');
    const { socket, text, ended } = connected(file);
    socket.end();
    await until('the answer', ended);
    expect(text()).toBe('well');
  });

  it('to follow gets each text until one of the two ends it', async () => {
    const file = place();
    const told$ = new Subject<string>();
    let followers = 0;
    const follow$ = defer(() => {
      followers += 1;
      return told$.pipe(finalize(() => (followers -= 1)));
    });
    const { subscription } = await serve(file, () => '', follow$);
    const [first, second] = [connected(file, FOLLOW), connected(file, FOLLOW)];
    await until('two followers', () => followers === 2);
    told$.next('one\n');
    told$.next('two\n');
    await until('both', () => [first, second].every(({ text }) => text() === 'one\ntwo\n'));
    first.socket.destroy();
    await until('the first is closed', () => first.socket.closed);
    // Only a write shows that the client has closed the connection, and not only its own side.
    told$.next('three\n');
    await until('the third', () => second.text().endsWith('three\n'));
    await until('one follower', () => followers === 1);
    subscription.unsubscribe();
    await until('none', () => followers === 0 && second.ended());
  });

  it('to follow, by a client that does not read, costs one text on the way and the newest, which waits', async () => {
    const file = place();
    const told$ = new Subject<string>();
    await serve(file, () => '', told$);
    const { socket, text } = connected(file, FOLLOW);
    socket.pause();
    await until('the follower', () => told$.observed);
    const large = (letter: string): string => `${letter.repeat(8 << 20)}\n`;
    for (const letter of ['a', 'b', 'c', 'd']) told$.next(large(letter));
    socket.resume();
    await until('the newest', () => text().endsWith('d\n'));
    expect(text()).toBe(large('a') + large('d'));
  });

  it('to follow ends for a client that reads nothing for seconds', async () => {
    const file = place();
    const told$ = new Subject<string>();
    await serve(file, () => '', told$);
    const { socket } = connected(file, FOLLOW);
    socket.pause();
    await until('the follower', () => told$.observed);
    told$.next('x'.repeat(8 << 20));
    await until('the end', () => !told$.observed);
  });
});

describe('CASE F3: the status socket', () => {
  it('makes one answer for many clients that do not read, and a new one when all have been taken', async () => {
    const file = place();
    let made = 0;
    await serve(file, () => `${(made += 1)}${'x'.repeat(8 << 20)}`);
    expect(await answered(file)).toMatchObject({ ok: true });
    expect(made).toBe(1);
    const before = process.memoryUsage().rss;
    const from = performance.now();
    const clients = Array.from({ length: 50 }, () => {
      const client = connected(file, 'status\n');
      client.socket.pause();
      return client;
    });
    await until('all but those that may stay are closed', async () => {
      // Paused clients do not notice that they were closed; a second answer shows it.
      await Promise.resolve();
      return made > 1 && clients.every(({ socket }) => !socket.connecting);
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(made).toBeLessThanOrEqual(2 + (performance.now() - from) / 1000);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
    clients.forEach(({ socket }) => socket.destroy());
    await until('an answer that is new', async () => {
      const last = made;
      await answered(file);
      return made > last;
    });
  });

  it('disconnects a client that sends more than a request', async () => {
    const file = place();
    const told$ = new Subject<string>();
    await serve(file, () => 'well', told$);
    const { socket } = connected(file, FOLLOW);
    await until('the follower', () => told$.observed);
    socket.write('x'.repeat(1 << 20));
    await until('the end', () => !told$.observed);
    expect(await answered(file)).toEqual({ ok: true, value: 'well' });
  });

  it('takes a request that comes in pieces', async () => {
    const file = place();
    const told$ = new Subject<string>();
    await serve(file, () => 'well', told$);
    const { socket, text } = connected(file, 'fol');
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write('low\n');
    await until('the follower or an answer', () => told$.observed || text() !== '');
    expect(text()).toBe('');
  });
});

describe('a client', () => {
  it('gets the reason for each socket without an answer', async () => {
    const file = place();
    expect(await answered(file, '/dev/null', '/nowhere')).toEqual({
      ok: false,
      error: [
        `${file}: there is no such socket`,
        '/dev/null: nobody listens there any more',
        '/nowhere: there is no such socket',
      ],
    });
  });

  it('does not wait for ever for one that hangs', async () => {
    const file = place();
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(file, resolve));
    left.push(() => server.close());
    const other = place();
    await serve(other, () => 'another daemon');
    expect(await answered(file, other)).toEqual({
      ok: false,
      error: [`${file}: no answer within 0.3 s: the daemon hangs or is suspended`],
    });
  });

  it('asks the next if one does not answer', async () => {
    const file = place();
    await serve(file, () => 'here');
    expect(await answered('/nowhere', file)).toEqual({ ok: true, value: 'here' });
  });
});

describe("the status socket of root in another user's folder", () => {
  const OTHER = { uid: 61_236, gid: 61_236 };
  const theirs = (): string => {
    const folder = path.dirname(place());
    chmodSync(folder, 0o755);
    chownSync(folder, OTHER.uid, OTHER.gid);
    return folder;
  };

  it('CASE F1: is not made, with the owner and the command', async () => {
    const folder = theirs();
    const { errors } = await serve(path.join(folder, 'status.sock'), () => '');
    expect(errors.join()).toContain(`${folder} belongs to user 61236. Run as root: chown -h 0:0 ${folder}`);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['folder', 'file', 'link'])("CASE F1: gives no %s of root's away that is planted as its folder", (kind) => {
    const folder = theirs();
    const planted = path.join(folder, 'run');
    if (kind === 'folder') mkdirSync(planted);
    else if (kind === 'file') writeFileSync(planted, '');
    else symlinkSync('/root', planted);
    expect(() => makeSocketFolder(path.join(planted, 'status.sock'), OTHER)).toThrow(`${folder} belongs to user 61236`);
    expect(lstatSync(planted).uid).toBe(0);
  });

  it("CASE F1: its folder is given to the user to be in a folder of root's, but no file or link there", () => {
    const folder = path.dirname(place());
    const own = path.join(folder, 'own');
    makeSocketFolder(path.join(own, 'status.sock'), OTHER);
    expect(lstatSync(own).uid).toBe(OTHER.uid);
    for (const name of ['file', 'link']) {
      const planted = path.join(folder, name);
      if (name === 'file') writeFileSync(planted, '');
      else symlinkSync(folder, planted);
      expect(() => makeSocketFolder(path.join(planted, 'status.sock'), OTHER)).toThrow('ENOTDIR');
      expect(lstatSync(planted).uid).toBe(0);
    }
    expect(lstatSync(folder).uid).toBe(0);
  });
});
