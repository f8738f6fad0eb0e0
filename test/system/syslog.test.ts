import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, expect, it } from 'vitest';

import { type Level, syslog } from '../../src/system/syslog.ts';
import { syslogSocket } from './syslog-socket.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-syslog-'));
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
  rmSync(directory, { recursive: true, force: true });
});

const sayTo = (name: string) => {
  const transport = syslog('vhostmd', path.join(directory, name));
  return (level: Level, message: string) => transport.write({ level, message });
};

it('lines reach the socket of syslog with facility daemon, severity, tag and process number', () => {
  const socket = syslogSocket(path.join(directory, 'log'));
  open.push(socket.close);
  const say = sayTo('log');
  say('err', 'part: An error');
  say('debug', 'part: A detail');
  expect(socket.received()).toEqual([
    `<27>vhostmd[${process.pid}]: part: An error`,
    `<31>vhostmd[${process.pid}]: part: A detail`,
  ]);
});

it('lines are dropped where no syslog listens, and arrive again when it is back', () => {
  const say = sayTo('late');
  say('err', 'lost');
  const socket = syslogSocket(path.join(directory, 'late'));
  open.push(socket.close);
  say('err', 'heard');
  expect(socket.received()).toEqual([`<27>vhostmd[${process.pid}]: heard`]);
});

it('a syslog that does not read blocks no caller', () => {
  const socket = syslogSocket(path.join(directory, 'full'));
  open.push(socket.close);
  const say = sayTo('full');
  for (let line = 0; line < 5000; line += 1) say('info', 'x'.repeat(1000));
  expect(socket.received().length).toBeGreaterThan(0);
});
