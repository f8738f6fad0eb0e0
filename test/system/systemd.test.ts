import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { afterEach, expect, it } from 'vitest';

import { notifications } from '../../src/system/systemd.ts';
import { syslogSocket } from './syslog-socket.ts';
import { until } from '../support/daemon.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-notify-'));
const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0)) one();
  rmSync(directory, { recursive: true, force: true });
});

const noWarning = (message: string): never => {
  throw new Error(message);
};

/** Listens in the manager's place; returns a function that returns all notifications as one text. */
const socat = async (address: string): Promise<() => string> => {
  const receiver = spawn('socat', ['-u', address, 'STDOUT'], { stdio: ['ignore', 'pipe', 'inherit'] });
  undo.push(() => receiver.kill());
  let text = '';
  receiver.stdout.on('data', (data: Buffer) => (text += data.toString()));
  await until('socat listens', () =>
    readdirSync(`/proc/${receiver.pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${receiver.pid}/fd/${fd}`).startsWith('socket:');
      } catch {
        return false;
      }
    }),
  );
  // socat binds the socket a moment after it creates it.
  await sleep(200);
  return () => text;
};

const manager = (): { readonly socket: string; readonly received: () => readonly string[] } => {
  const socket = path.join(mkdtempSync(path.join(tmpdir(), 'vhostmd-notify-')), 'notify');
  const { received, close } = syslogSocket(socket);
  undo.push(close, () => rmSync(path.dirname(socket), { recursive: true }));
  return { socket, received };
};

it.each([
  ['a path', (name: string) => `UNIX-RECV:/tmp/${name}`, (name: string) => `/tmp/${name}`],
  ['an abstract name', (name: string) => `ABSTRACT-RECV:${name}`, (name: string) => `@${name}`],
])('notifications arrive at %s', async (_what, listen, socket) => {
  const name = `vhostmd-notify-${process.pid}.sock`;
  const heard = await socat(listen(name));
  const service = notifications({ NOTIFY_SOCKET: socket(name) }, noWarning);
  service.ready();
  service.watchdog();
  service.stopping();
  await until('all has arrived', () => heard() === 'READY=1WATCHDOG=1STOPPING=1');
});

it('a reload is announced with the time of the monotonic clock in microseconds', () => {
  const { socket, received } = manager();
  const service = notifications({ NOTIFY_SOCKET: socket }, noWarning);
  const before = process.hrtime.bigint() / 1000n;
  service.reloading();
  const after = process.hrtime.bigint() / 1000n;
  const [, time] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(received().join('|')) ?? [];
  expect(BigInt(time ?? 0)).toBeGreaterThanOrEqual(before);
  expect(BigInt(time ?? 0)).toBeLessThanOrEqual(after);
});

it('a status is one line of printable ASCII and not long, whatever is in it', () => {
  const { socket, received } = manager();
  const service = notifications({ NOTIFY_SOCKET: socket }, noWarning);
  service.status('a VM "x\nREADY=1\n\u{1b}[2J\u{202e}é"');
  service.status('y'.repeat(100_000));
  expect(received()).toEqual([
    'STATUS=a VM "x\\u{a}READY=1\\u{a}\\u{1b}[2J\\u{202e}\\u{e9}"',
    `STATUS=${'y'.repeat(397)}...`,
  ]);
});

it('the variables leave the environment, so that no program that is started speaks for the daemon', () => {
  const environment = { PATH: '/bin', NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '1', WATCHDOG_PID: '2' };
  notifications(environment, noWarning);
  expect(environment).toEqual({ PATH: '/bin' });
});

it('half the time of the watchdog is the interval, in milliseconds, if this process is meant', () => {
  const interval = (more: Record<string, string>) =>
    notifications({ NOTIFY_SOCKET: '@x', ...more }, noWarning).watchdogInterval;
  expect(interval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) })).toBe(15_000);
  expect(interval({ WATCHDOG_USEC: '3000000' })).toBe(1500);
  expect(interval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' })).toBeUndefined();
  for (const text of ['', '0', '-5', 'x', 'NaN']) expect(interval({ WATCHDOG_USEC: text })).toBeUndefined();
  expect(interval({})).toBeUndefined();
});

it.each([
  ['@nobody-listens-here', 'ECONNREFUSED'],
  ['/nonexistent/notify', 'ENOENT'],
  ['vsock:2:1234', 'neither an absolute path nor @NAME'],
  [`/${'x'.repeat(200)}`, 'ENAMETOOLONG'],
])('FAULTS 58: NOTIFY_SOCKET %s gives one warning, and all goes on', (socket, reason) => {
  const warnings: string[] = [];
  const service = notifications({ NOTIFY_SOCKET: socket }, (message) => warnings.push(message));
  service.ready();
  service.status('x');
  service.watchdog();
  service.stopping();
  expect(warnings).toEqual([`systemd cannot be notified: NOTIFY_SOCKET ${socket}: ${reason}`]);
});

it('a manager that does not read is waited for, without a warning: READY is not lost, of the others the newest come', async () => {
  const { socket, received } = manager();
  const service = notifications({ NOTIFY_SOCKET: socket }, noWarning);
  // More than the queue of a socket holds.
  for (let sent = 0; sent < 600; sent += 1) service.reloading();
  service.ready();
  for (let sent = 0; sent < 600; sent += 1) {
    service.watchdog();
    service.status(`status ${sent}`);
  }
  const heard: string[] = [];
  await until('the last status', () => {
    heard.push(...received());
    return heard.at(-1) === 'STATUS=status 599';
  });
  expect(heard.filter((message) => message === 'READY=1')).toHaveLength(1);
  expect(heard.filter((message) => message.startsWith('RELOADING='))).toHaveLength(600);
  expect(heard.slice(-2)).toEqual(['WATCHDOG=1', 'STATUS=status 599']);
  expect(heard).toHaveLength(603);
});

it('without NOTIFY_SOCKET nothing is sent, and the bridge to the C library is not even loaded', async () => {
  const script = path.join(mkdtempSync(path.join(tmpdir(), 'vhostmd-notify-')), 'script.mjs');
  undo.push(() => rmSync(path.dirname(script), { recursive: true }));
  const built = new URL('../../.cache/modules/system/systemd.js', import.meta.url).href;
  writeFileSync(
    script,
    `import { createRequire } from 'node:module';
    import { notifications } from ${JSON.stringify(built)};
    const service = notifications(process.env, console.error);
    for (const say of ['ready', 'reloading', 'stopping', 'watchdog']) service[say]();
    service.status('x');
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    console.log(loaded.some((file) => file.includes('koffi')) ? 'loaded' : 'not loaded');`,
  );
  const told = async (environment: Record<string, string>): Promise<string> =>
    (await promisify(execFile)(process.execPath, [script], { env: environment })).stdout;
  expect(await told({})).toBe('not loaded\n');
  expect(await told({ NOTIFY_SOCKET: '@nobody-listens-here' })).toBe('loaded\n');
});
