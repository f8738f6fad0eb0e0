import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { until } from '../support/daemon.ts';
import { processesWith } from '../support/processes.ts';
import { channelStage } from './channel-stage.ts';
import { busyboxFolder, type Ended, SHELLS, startTool } from './tool.ts';
import { PATIENCE } from '../support/patience.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-tool-'));
let bin = '';
const openChannel = channelStage(() => folder);

beforeAll(() => {
  bin = busyboxFolder(path.join(folder, 'bin'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const document = (value: string): string =>
  `<metrics>\n  <metric type='string' context='host'>\n    <name>A</name>\n    <value>${value}</value>\n  </metric>\n</metrics>\n`;

const REQUEST = 'GET /metrics/XML\n\n';

describe.each(SHELLS)('vm-dump-metrics in $name, on a channel', ({ shell }) => {
  const start = (...args: readonly string[]) => startTool(shell, args, { PATH: bin });
  const ask = async (device: string, ...args: readonly string[]): Promise<Ended> =>
    await start('--virtio', '--device', device, ...args).ended;

  it('prints the reply as the document that a disk would hold', async () => {
    const { device, asked } = await openChannel(() => `${document('\\n &amp; $HOME `id`')}\n`);
    expect(await ask(device)).toMatchObject({ code: 0, stdout: document('\\n &amp; $HOME `id`'), stderr: '' });
    expect(asked()).toBe(REQUEST);
    // A character device is a channel even without --virtio.
    expect(await start('--device', device, '--value', 'A').ended).toMatchObject({
      code: 0,
      stdout: '\\n & $HOME `id`\n',
    });
  });

  it('takes a reply of 64 KiB that comes in pieces', async () => {
    const channel = await openChannel(() => undefined);
    const running = start('-i', '--device', channel.device);
    await until('the request', () => channel.asked().includes(REQUEST));
    const whole = document('x'.repeat(65_536));
    for (let at = 0; at < whole.length; at += 9000) {
      channel.send(whole.slice(at, at + 9000));
      await sleep(20);
    }
    channel.send('\n');
    expect(await running.ended).toMatchObject({ code: 0, stdout: whole });
  });

  it('drops replies that an earlier reader has left', async () => {
    const channel = await openChannel(() => `${document('new')}\n`);
    channel.send(`${document('old')}\n`);
    channel.send(document('older').slice(0, 40));
    await sleep(100);
    expect(await ask(channel.device)).toMatchObject({ code: 0, stdout: document('new') });
  });

  it('asks again when bytes of another writer spoiled the request', async () => {
    const channel = await openChannel((request) =>
      request === REQUEST.trim() ? `${document('a')}\n` : 'INVALID REQUEST\n\n',
    );
    writeFileSync(channel.device, 'rubbish');
    expect(await ask(channel.device)).toMatchObject({ code: 0, stdout: document('a') });
    expect(channel.asked()).toBe(`rubbish${REQUEST}${REQUEST}`);
  });

  it('asks again when no answer comes', async () => {
    const channel = await openChannel((_request, count) => (count === 1 ? undefined : `${document('a')}\n`));
    const { code, stdout, ms } = await ask(channel.device);
    expect({ code, stdout }).toEqual({ code: 0, stdout: document('a') });
    expect(ms).toBeGreaterThan(1500);
  });

  it('says that the host refuses the request', async () => {
    const { device } = await openChannel(() => 'INVALID REQUEST\n\n');
    const { code, stdout, stderr } = await ask(device, '--wait', '1');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('INVALID REQUEST');
  });

  it('waits for its answer after those to the requests of another writer', async () => {
    const channel = await openChannel((request) =>
      request === REQUEST.trim() ? `${document('a')}\n` : 'INVALID REQUEST\n\n',
    );
    writeFileSync(channel.device, 'rub\n\nbish\n\nand\n\nmore');
    expect(await ask(channel.device)).toMatchObject({ code: 0, stdout: document('a') });
  });

  it('gives up when no answer comes, also in the middle of a reply', async () => {
    for (const reply of [undefined, document('a').slice(0, 60), document('a')]) {
      const { device } = await openChannel(() => reply);
      const { code, stdout, stderr } = await ask(device, '--wait', '1');
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain(`no answer came through ${device} within 1 s`);
    }
  });

  it('says that there is no such channel', async () => {
    const { code, stderr } = await ask('/nowhere/port');
    expect(code).toBe(1);
    expect(stderr).toContain('there is no /nowhere/port');
    const none = await start('--virtio').ended;
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('there is no virtio-serial channel org.github.vhostmd.1');
    const neither = await start().ended;
    expect(neither).toMatchObject({ code: 1, stdout: '' });
    expect(neither.stderr).toMatch(/no metrics: there is no metrics disk.*; there is no virtio-serial channel/);
  });

  it('leaves no process behind, however it ends', { timeout: 200_000 * PATIENCE }, async () => {
    const { device } = await openChannel(() => undefined);
    const remain = (): number => processesWith('cmdline', `\0${device}\0`).length;
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const) {
      const running = start('-i', '--device', device, '--wait', '30');
      await until('it talks', () => remain() > 1);
      await sleep(500);
      // On a terminal, Ctrl-C signals all processes of the program.
      process.kill(signal === 'SIGINT' ? -(running.child.pid ?? 0) : (running.child.pid ?? 0), signal);
      const { code, stdout, ms } = await running.ended;
      expect({ signal, stdout }).toEqual({ signal, stdout: '' });
      expect(code).not.toBe(0);
      expect(ms).toBeLessThan(15_000 * PATIENCE);
      // After SIGKILL, remaining processes end at their own deadline.
      await until(`no process is left after ${signal}`, () => remain() === 0, 40_000);
    }
    await ask(device, '--wait', '1');
    expect(remain()).toBe(0);
  });
});
