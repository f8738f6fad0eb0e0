import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import type { Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { asyncScheduler } from 'rxjs';
import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { permissionTrouble } from '../../../src/sinks/virtio-serial/socket-permission.ts';
import { sample } from '../../../src/testing/snapshots.ts';
import { domain, REQUEST, snapshotOf, stage } from './qemu.ts';
import type { Qemu, SerialStage } from './qemu.ts';
import { PATIENCE } from '../../support/patience.ts';

let run: SerialStage;
beforeEach(() => {
  run = stage();
});
afterEach(() => run.close());

const INVALID = 'INVALID REQUEST\n\n';
const soon = (check: () => void, timeout = 5000): Promise<void> =>
  vi.waitFor(check, { timeout: timeout * PATIENCE, interval: 5 });
const count = (qemu: Qemu, text: string): number => qemu.received().split(text).length - 1;
const replies = (qemu: Qemu): number => count(qemu, '</metrics>\n\n') + count(qemu, INVALID);
const serve = async (): Promise<Qemu> => {
  const qemu = await run.qemu('one');
  run.publish(snapshotOf([domain(1, qemu.path)]));
  await soon(() => expect(qemu.connected()).toBe(true));
  return qemu;
};
/** Returns the CPU time of this process during `work`, in milliseconds. */
const cpu = async (work: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};
const CHANNEL = (qemu: Pick<Qemu, 'path'>, id = 1): string => `The channel of domain "vm${id}", "${qemu.path}",`;

describe('the virtio-serial sink', () => {
  it('FAULTS 59: a megabyte of garbage is one invalid request, and the next request is answered', async () => {
    const qemu = await serve();
    const garbage = Buffer.alloc(1024 * 1024, 'garbage\n');
    const used = await cpu(async () => {
      qemu.send(garbage);
      qemu.send(`\n\n${REQUEST}`);
      await soon(() => expect(qemu.received()).toContain('</metrics>\n\n'));
    });
    expect(qemu.received().indexOf('<metrics>')).toBe(INVALID.length);
    expect(count(qemu, INVALID)).toBe(1);
    // Includes the CPU time of sending it.
    expect(used).toBeLessThan(500);
  });

  it('FAULTS 59: a guest that never stops to send garbage is read slowly, and costs next to nothing', async () => {
    const qemu = await serve();
    for (let megabytes = 0; megabytes < 16; megabytes += 1) qemu.send(Buffer.alloc(1024 * 1024, 'x\n\r'));
    await sleep(500);
    const taken = qemu.taken();
    const used = await cpu(() => sleep(2000));
    expect(taken).toBeLessThan(4 * 1024 * 1024);
    expect(qemu.taken() - taken).toBeLessThan(1024 * 1024);
    expect(used).toBeLessThan(200);
  });

  it('FAULTS 60: a request that comes byte by byte is answered', async () => {
    const qemu = await serve();
    for (const byte of REQUEST) {
      qemu.send(byte);
      await sleep(5);
    }
    await soon(() => expect(replies(qemu)).toBe(1));
    expect(count(qemu, INVALID)).toBe(0);
  });

  it('FAULTS 61: what has no blank line within 512 bytes is invalid, and what comes after its end is served', async () => {
    const qemu = await serve();
    qemu.send('x'.repeat(513));
    await soon(() => expect(qemu.received()).toBe(INVALID));
    qemu.send('y'.repeat(5000));
    qemu.send(REQUEST);
    await sleep(50);
    expect(qemu.received()).toBe(INVALID);
    qemu.send(REQUEST);
    await soon(() => expect(qemu.received()).toContain('</metrics>\n\n'));
    expect(replies(qemu)).toBe(2);
  });

  it('FAULTS 62: NUL bytes, CR LF and lower case are answered each as it deserves, in their order', async () => {
    const qemu = await serve();
    qemu.send(`\0\n\n${REQUEST}get /metrics/xml\n\nGET /metrics/XML\r\n\r\n`);
    await soon(() => expect(replies(qemu)).toBe(4));
    const order = qemu.received().match(/INVALID REQUEST\n\n|<\/metrics>\n\n/g);
    expect(order).toEqual([INVALID, '</metrics>\n\n', INVALID, '</metrics>\n\n']);
  });

  it('FAULTS 62, 66: of 100 requests at once 5 are answered at once, and then one per second; none is lost', async () => {
    const qemu = await serve();
    qemu.send(REQUEST.repeat(100));
    await soon(() => expect(replies(qemu)).toBe(5));
    await sleep(500);
    expect(replies(qemu)).toBe(5);
    await soon(() => expect(replies(qemu)).toBe(7));
    expect(count(qemu, INVALID)).toBe(0);
  });

  it('FAULTS 66: invalid requests count like others, and a new connection gives a guest no more', async () => {
    const qemu = await serve();
    qemu.send('x\n\n'.repeat(5));
    await soon(() => expect(replies(qemu)).toBe(5));
    qemu.drop();
    await soon(() => expect(qemu.connections()).toBe(2));
    qemu.send(REQUEST);
    await sleep(300);
    expect(replies(qemu)).toBe(5);
    await soon(() => expect(replies(qemu)).toBe(6));
  });

  it('FAULTS 66: another guest is answered at once while one floods', async () => {
    const [one, two] = [await run.qemu('one'), await run.qemu('two')];
    run.publish(snapshotOf([domain(1, one.path), domain(2, two.path)]));
    one.send(REQUEST.repeat(100_000));
    await soon(() => expect(replies(one)).toBe(5));
    two.send(REQUEST);
    await soon(() => expect(replies(two)).toBe(1));
    expect(replies(one)).toBeLessThan(10);
  });

  it.each(['end', 'reset'] as const)(
    'FAULTS 63: a connection that QEMU closes (%s) is made again with backoff, without spinning',
    async (how) => {
      const qemu = await serve();
      qemu.drop(how);
      await soon(() => expect(qemu.connections()).toBe(2));
      qemu.send(REQUEST);
      await soon(() => expect(replies(qemu)).toBe(1));
      expect(run.said('warning')).toEqual([]);
      qemu.refuse(true);
      const start = performance.now();
      await soon(() => expect(run.said('warning')).toHaveLength(1));
      await soon(() => expect(qemu.connections()).toBeGreaterThan(8));
      // The waits are 10, 20, 40, 80, 80 .. ms.
      expect(qemu.connections()).toBeLessThan(7 + (performance.now() - start) / 80);
      expect(run.said('warning')).toEqual([
        `${CHANNEL(qemu)} was closed by QEMU; it is connected again when it can be`,
      ]);
      qemu.refuse(false);
      await soon(() => expect(run.said('warning').at(-1)).toBe(`${CHANNEL(qemu)} is connected again`));
      qemu.send(REQUEST);
      await soon(() => expect(replies(qemu)).toBe(2));
      expect(run.said('warning')).toHaveLength(2);
    },
  );

  it('FAULTS 63: a connection that is closed while a reply waits for its turn is made again', async () => {
    const qemu = await serve();
    qemu.send(REQUEST.repeat(20));
    await soon(() => expect(replies(qemu)).toBe(5));
    qemu.drop('reset');
    await soon(() => expect(qemu.connections()).toBe(2));
  });

  it('FAULTS 64: sockets of no use are told, each on its own, and the other VMs are served', async () => {
    const socket = (name: string): string => run.socket(name);
    writeFileSync(socket('file'), '');
    const real = await run.qemu('real');
    symlinkSync(real.path, socket('link'));
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(socket('dead-at-first'), resolve));
    mkdirSync(socket('dir'));
    // A socket without a listener: under another name its file outlives the server.
    renameSync(socket('dead-at-first'), socket('dead'));
    await new Promise((resolve) => dead.close(resolve));
    const long = `/${'x'.repeat(107)}`;
    const paths = ['file', 'link', 'dead', 'dir', 'none', 'file/x'].map(socket);
    const domains = [...paths, long, 'relative'].map((path, index) => domain(index + 1, path));
    const good = await run.qemu('good');
    run.publish(snapshotOf([...domains, domain(99, good.path)]));
    good.send(REQUEST);
    await soon(() => expect(replies(good)).toBe(1));
    await soon(() => expect(run.said('warning')).toHaveLength(8));
    const said = (index: number): string => run.said('warning').find((text) => text.includes(`"vm${index}"`)) ?? '';
    expect(said(1)).toBe(`${CHANNEL({ path: paths[0] ?? '' }, 1)} is no socket; look what has taken its place`);
    expect(said(2)).toContain('is a symbolic link, which is not followed');
    expect(said(3)).toContain('is a socket that nobody listens on');
    expect(said(4)).toContain('is no socket');
    expect(said(5)).toContain('does not exist; if the VM runs');
    expect(said(6)).toContain('a part of the path is no directory');
    expect(said(7)).toContain('has 108 bytes, and the path of a socket at most 107');
    expect(said(8)).toContain('is not an absolute path');
    await sleep(300);
    expect(run.said('warning')).toHaveLength(8);
    expect(real.connections()).toBe(0);
  });

  it('FAULTS 64: a socket that appears late is connected soon, and one that vanishes and comes again', async () => {
    run.publish(snapshotOf([domain(1, run.socket('late'))]));
    await soon(() => expect(run.said('warning')).toHaveLength(1));
    const late = await run.qemu('late');
    late.send(REQUEST);
    await soon(() => expect(replies(late)).toBe(1));
    await soon(() => expect(run.said('warning').at(-1)).toContain('is connected again'));
    unlinkSync(late.path);
    late.drop();
    await soon(() => expect(run.said('warning').at(-1)).toContain('does not exist'));
    const again = await run.qemu('late');
    await soon(() => expect(again.connected()).toBe(true));
  });

  it('FAULTS 64: a socket whose queue is full is told, and taken when it is free', async () => {
    const path = run.socket('full');
    const script = `
      require('node:net').createServer((socket) => {
        socket.on('error', () => undefined).on('data', (bytes) => process.stdout.write(bytes)).write(${JSON.stringify(REQUEST)});
      }).listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => process.stdout.write('listens'))`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const others: Socket[] = [];
    try {
      let output = '';
      child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
      await soon(() => expect(output).toContain('listens'));
      child.kill('SIGSTOP');
      // Fills the queue of connections; the last connection is refused.
      await new Promise<void>((resolve) => {
        const more = (): void => void others.push(createConnection(path, more).on('error', () => resolve()));
        more();
      });
      const good = await run.qemu('good');
      run.publish(snapshotOf([domain(1, path), domain(2, good.path)]));
      await soon(() => expect(good.connected()).toBe(true));
      await soon(() => expect(run.said('warning')[0]).toContain('is in use by somebody else'));
      child.kill('SIGCONT');
      await soon(() => expect(output).toContain('</metrics>'));
    } finally {
      for (const other of others) other.destroy();
      child.kill('SIGKILL');
    }
  });

  it('FAULTS 64: a socket that this user may not use is told, and taken when it may', async () => {
    const { seteuid } = process;
    if (process.getuid?.() !== 0 || seteuid === undefined) throw new Error('this needs root');
    const qemu = await run.qemu('one');
    chmodSync(run.directory, 0o755);
    chmodSync(qemu.path, 0o700);
    // Threads of the pool keep their rights, so the check of the file succeeds; this thread connects.
    seteuid(65534);
    try {
      run.publish(snapshotOf([domain(1, qemu.path)]));
      await soon(() => expect(run.said('warning')).toHaveLength(1));
    } finally {
      seteuid(0);
    }
    expect(run.said('warning')[0]).toContain('may not be used by user ');
    await soon(() => expect(qemu.connected()).toBe(true));
  });

  it('CASE E5: a socket or a folder that belongs to a group names that group, the command that joins it, and is news until it is connected', async () => {
    const { seteuid } = process;
    if (process.getuid?.() !== 0 || seteuid === undefined) throw new Error('this needs root');
    const { gid, name } = { gid: 8, name: 'mail' };
    const qemu = await run.qemu('one');
    chownSync(qemu.path, 0, gid);
    chmodSync(qemu.path, 0o770);
    chmodSync(run.directory, 0o755);
    seteuid(65534);
    try {
      run.publish(snapshotOf([domain(1, qemu.path)]));
      await soon(() => expect(run.said('warning')).toHaveLength(1));
      expect(run.said('warning')[0]).toMatch(
        new RegExp(
          `the socket is for group ${name}; join it and restart vhostmd: usermod --append --groups ${name} \\S+ \\(EACCES\\)$`,
        ),
      );
      run.publish(snapshotOf([domain(1, qemu.path)]));
      await soon(() => expect(run.troubles().at(-1)).toContain(`usermod --append --groups ${name} `));
    } finally {
      seteuid(0);
    }
    await soon(() => expect(qemu.connected()).toBe(true));
    run.publish(snapshotOf([domain(1, qemu.path)]));
    await soon(() => expect(run.troubles().at(-1)).toBeUndefined());
  });

  it('CASE E5: what forbids a socket is its folder where that is closed, and no group is named that may not enter either', () => {
    const { seteuid } = process;
    if (seteuid === undefined) throw new Error('this needs root');
    const folder = path.join(run.directory, 'closed');
    mkdirSync(folder);
    chmodSync(run.directory, 0o755);
    chownSync(folder, 0, 8);
    chmodSync(folder, 0o750);
    const socket = path.join(folder, 'socket');
    seteuid(65534);
    try {
      expect(permissionTrouble(socket)).toContain(`its folder ${folder} is for group mail; join it`);
      seteuid(0);
      chmodSync(folder, 0o700);
      seteuid(65534);
      expect(permissionTrouble(socket)).toContain(`its folder ${folder} is for user 0 only`);
      expect(permissionTrouble(socket)).not.toContain('usermod');
    } finally {
      seteuid(0);
    }
  });

  it('FAULTS 65: of a guest that never reads one reply is held, and no more is read of it', async () => {
    const qemu = await run.qemu('one');
    qemu.stopReading();
    // Far more than the kernel buffers.
    const big = sample('Big', 'x'.repeat(4 * 1024 * 1024));
    const domains = [domain(1, qemu.path)];
    const value = (tick: number) => snapshotOf(domains, { tick, host: [sample('Tick', `tick ${tick}.`), big] });
    qemu.send(REQUEST);
    run.publish(value(0));
    await soon(() => expect(qemu.connected()).toBe(true));
    await sleep(100);
    qemu.send(Buffer.alloc(1024 * 1024, '\n'));
    qemu.send(REQUEST.repeat(2));
    const before = process.memoryUsage.rss();
    for (let tick = 1; tick < 10; tick += 1) {
      run.publish(value(tick));
      await sleep(50);
    }
    expect(qemu.taken()).toBeLessThan(1024);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
    qemu.startReading();
    await soon(() => expect(replies(qemu)).toBe(3));
    expect([count(qemu, 'tick 0.'), count(qemu, 'tick 9.')]).toEqual([1, 2]);
  });

  it('closing in mid-write, and while requests wait, leaves nothing behind', async () => {
    const qemu = await run.qemu('one');
    qemu.stopReading();
    run.publish(snapshotOf([domain(1, qemu.path)], { host: [sample('Big', 'x'.repeat(4 * 1024 * 1024))] }));
    qemu.send(REQUEST.repeat(100));
    await soon(() => expect(qemu.connected()).toBe(true));
    await sleep(100);
    run.stop();
    qemu.startReading();
    await soon(() => expect(qemu.connected()).toBe(false));
    const said = run.reports.length;
    await sleep(200);
    expect(run.reports).toHaveLength(said);
    expect(qemu.connections()).toBe(1);
  });

  it('closing ends every timer: those of requests that wait, of floods, and of sockets that are missing', async () => {
    await run.close();
    const timers: Subscription[] = [];
    const schedule: typeof asyncScheduler.schedule = (...args) => {
      const timer = asyncScheduler.schedule(...args);
      timers.push(timer);
      return timer;
    };
    run = stage({ scheduler: { now: () => asyncScheduler.now(), schedule } });
    const [asking, flooding] = [await run.qemu('one'), await run.qemu('two')];
    run.publish(snapshotOf([domain(1, asking.path), domain(2, flooding.path), domain(3, run.socket('none'))]));
    asking.send(REQUEST.repeat(100));
    for (let megabytes = 0; megabytes < 4; megabytes += 1) flooding.send(Buffer.alloc(1024 * 1024, '\n'));
    await soon(() => expect(timers.filter(({ closed }) => !closed)).toHaveLength(3));
    run.stop();
    expect(timers.filter(({ closed }) => !closed)).toEqual([]);
  });

  it('closing before a connection is made makes none', async () => {
    const qemu = await run.qemu('one');
    run.publish(snapshotOf([domain(1, qemu.path)]));
    run.stop();
    await sleep(100);
    expect(qemu.connections()).toBe(0);
  });

  it('text of hostile names and paths cannot break a line of the log', async () => {
    const name = `a\nERROR \u001b[2J${'x'.repeat(5000)}`;
    run.publish(snapshotOf([{ ...domain(1, `/tmp/\n${'y'.repeat(50)}`), name }]));
    await soon(() => expect(run.said('warning')).toHaveLength(1));
    expect(run.said('warning')[0]).toMatch(/^[ -~]{1,700}$/);
    expect(run.said('warning')[0]).toContain('a\\nERROR \\u{1b}[2Jxxx');
  });
});
