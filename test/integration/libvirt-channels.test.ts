import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { until } from '../support/daemon.ts';
import { parseMetrics } from '../../src/client/read-metrics.ts';
import { libvirtStage, stat } from './libvirt-stage.ts';

const stage = libvirtStage();

const METRICS = stat('host', 'host.hostname', 'string') + stat('vm', 'balloon.current');
const GLOBALS = '<transport>virtio</transport>';
// libvirtd's test driver accepts domains with channels; the test listens on their sockets in QEMU's place.
const testUri = (): string => stage().libvirtd.uri.replace('qemu+unix:///session', 'test+unix:///default');

interface Channel {
  readonly name: string;
  readonly uuid: string;
  readonly file: string;
  /** Number of connections so far. */
  readonly connections: () => number;
  readonly ask: () => Promise<string>;
  readonly server: Server;
}

const servers: Server[] = [];
const peers = new Set<Socket>();
const holders: ChildProcess[] = [];
beforeEach(async () => await holdDriver());
afterEach(() => {
  for (const holder of holders.splice(0)) holder.kill();
  for (const peer of peers) peer.destroy();
  for (const server of servers.splice(0)) server.close();
});

const channel = async (name: string): Promise<Channel> => {
  const folder = path.join(stage().folder, 'channels');
  mkdirSync(folder, { recursive: true });
  const socket = path.join(folder, `${name}-${randomUUID().slice(0, 8)}.sock`);
  let peer: Socket | undefined;
  let connections = 0;
  const server = createServer((accepted) => {
    peers.add(accepted);
    connections += 1;
    peer = accepted;
    accepted.on('error', () => undefined);
    accepted.on('close', () => {
      peers.delete(accepted);
      if (peer === accepted) peer = undefined;
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  chmodSync(socket, 0o777);
  const uuid = randomUUID();
  const file = path.join(folder, `${name}.xml`);
  writeFileSync(
    file,
    `<domain type='test'><name>${name}</name><uuid>${uuid}</uuid><memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os>` +
      `<devices><channel type='unix'><source mode='bind' path='${socket}'/>` +
      `<target type='virtio' name='org.github.vhostmd.1'/></channel></devices></domain>`,
  );
  const ask = async (): Promise<string> => {
    await until(`${name} is connected`, () => peer !== undefined);
    let text = '';
    const listen = (data: Buffer): void => void (text += data.toString('latin1'));
    peer?.on('data', listen);
    peer?.write('GET /metrics/XML\n\n');
    await until(`${name} is answered, so far: ${text}`, () => text.endsWith('\n\n'));
    peer?.off('data', listen);
    return text;
  };
  return { name, uuid, file, ask, server, connections: () => connections };
};

// The test driver forgets all domains when its last client disconnects.
const holdDriver = async (): Promise<void> => {
  const holder = spawn('virsh', ['-q', '-c', testUri()], { stdio: ['pipe', 'pipe', 'ignore'] });
  holders.push(holder);
  holder.stdin.write('uri\n');
  await once(holder.stdout, 'data');
};

const start = async (one: Channel): Promise<void> =>
  void (await stage().libvirtd.virsh('-c', testUri(), 'create', one.file));
const stop = async (one: Channel): Promise<void> =>
  void (await stage().libvirtd.virsh('-c', testUri(), 'destroy', one.name));

/** Asks until the reply has values of the VM, which may follow the connection. */
const valuesOf = async (one: Channel): Promise<string> => {
  let text = '';
  await until('the values of the VM', async () => (text = await one.ask()).includes("context='vm'"));
  return text;
};

describe('Channels of domains that libvirt knows', () => {
  it('are connected by the path in the live XML, and answer with the host and the VM itself only', async () => {
    const { run } = stage();
    const [early, late] = [await channel('early'), await channel('late')];
    await start(early);
    await run(METRICS, { uri: testUri(), globals: GLOBALS, period: 60 });
    const first = await valuesOf(early);
    await start(late);
    const second = await valuesOf(late);
    for (const [text, own, other] of [
      [first, early, late],
      [second, late, early],
    ] as const) {
      expect(parseMetrics(text).map(({ context, uuid }) => [context, uuid])).toEqual([
        ['host', undefined],
        ['vm', own.uuid],
      ]);
      expect(text).not.toContain(other.uuid);
    }
    await Promise.all([early, late].map(stop));
    await until('both are closed', () => peers.size === 0);
  });

  it('stay connected over a reload, and while libvirt is away', async () => {
    const { libvirtd, run } = stage();
    const one = await channel('one');
    await start(one);
    const { daemon, config } = await run(METRICS, { uri: testUri(), globals: GLOBALS });
    await valuesOf(one);
    writeFileSync(config, readFileSync(config, 'utf8').replace('</metrics>', `${stat('host', 'host.time')}</metrics>`));
    daemon.child.kill('SIGHUP');
    await until('the new metric', async () => (await one.ask()).includes('host.time'), 20_000);
    await sleep(500);
    expect(one.connections()).toBe(1);
    libvirtd.kill('SIGKILL');
    await daemon.printed('Not connected');
    await until(
      'the values of the VM have expired',
      async () => (await one.ask()).includes('VM metrics not available'),
      20_000,
    );
    expect(await one.ask()).toContain("context='host'");
    expect(one.connections()).toBe(1);
    await libvirtd.start();
    await until('the domain of the new libvirtd is not this one', async () => peers.size === 0, 20_000);
  });

  it('are connected again by the next daemon after one that was killed', async () => {
    const { run } = stage();
    const one = await channel('killed');
    await start(one);
    const first = await run(METRICS, { uri: testUri(), globals: GLOBALS });
    await valuesOf(one);
    await first.daemon.stop('SIGKILL');
    await run(METRICS, { uri: testUri(), globals: GLOBALS });
    expect(await valuesOf(one)).toContain(one.uuid);
    expect(one.connections()).toBe(2);
    await stop(one);
  });
});
