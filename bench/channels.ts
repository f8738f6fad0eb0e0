import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Subscription } from 'rxjs';

import { connect$ } from '../src/sources/libvirt/connection.ts';
import type { Connection } from '../src/sources/libvirt/types.ts';
import { domainXml, type PrivateLibvirtd } from '../test/support/libvirtd.ts';
import { configuration, startDaemon } from './daemon.ts';
import { cpuOf, memoryOf } from './proc.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import { percentile } from './statistics.ts';

const ASKED = 100;
const MANY = 1000;
const IDLE = 30_000;
const QEMUS = 20;
const PATIENCE = 30_000;

const CHANNEL = 'org.github.vhostmd.1';
const channelXml = (socket: string): string =>
  `<channel type='unix'><source mode='bind' path='${socket}'/><target type='virtio' name='${CHANNEL}'/></channel>`;

/** The host side of a channel, in place of QEMU. */
interface Port {
  readonly name: string;
  readonly socket: string;
  readonly server: Server;
  peer: Socket | undefined;
}

const openPort = async (directory: string, name: string): Promise<Port> => {
  const port: Port = { name, socket: path.join(directory, `${name}.sock`), server: createServer(), peer: undefined };
  port.server.on('connection', (peer) => (port.peer = peer));
  await new Promise<void>((resolve) => port.server.listen(port.socket, resolve));
  return port;
};

const closePort = ({ server, peer }: Port): void => {
  peer?.destroy();
  server.close();
};

/** Returns the milliseconds from the request to the last byte of the reply. */
const ask = async ({ peer, name }: Port): Promise<number> => {
  if (peer === undefined) throw new Error(`channel ${name} is not connected`);
  const start = performance.now();
  let text = '';
  const answered = new Promise<number>((resolve) =>
    peer.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      if (text.endsWith('</metrics>\n\n')) resolve(performance.now() - start);
    }),
  );
  peer.write('GET /metrics/XML\n\n');
  const took = await answered;
  peer.removeAllListeners('data');
  if (!text.includes(`context='vm'`)) throw new Error(`channel ${name} answered without metrics of its VM:\n${text}`);
  return took;
};

const waitFor = async (what: string, holds: () => boolean): Promise<void> => {
  for (const until = performance.now() + PATIENCE; !holds(); await sleep(5))
    if (performance.now() > until) throw new Error(`not within ${PATIENCE} ms: ${what}`);
};

// Creates simulated domains of libvirtd's test driver, with or without a channel.
const createDomains = async (
  libvirtd: PrivateLibvirtd,
  uri: string,
  ports: readonly Port[],
  directory: string,
): Promise<void> => {
  const commands = ports.map(({ name, socket }) => {
    const file = path.join(directory, `${name}.xml`);
    writeFileSync(
      file,
      `<domain type='test'><name>${name}</name><uuid>${randomUUID()}</uuid><memory>1024</memory><vcpu>1</vcpu>` +
        `<os><type>hvm</type></os><devices>${channelXml(socket)}</devices></domain>`,
    );
    return `create ${file}`;
  });
  await libvirtd.virsh('-c', uri, commands.join('; '));
};

const virtio = (config: string, on: boolean): string => {
  const text = readFileSync(config, 'utf8').replaceAll(/\s*<transport>virtio<\/transport>/g, '');
  const transports = on ? '<transport>vbd</transport><transport>virtio</transport>' : '<transport>vbd</transport>';
  writeFileSync(config, text.replace('<transport>vbd</transport>', transports));
  return config;
};

interface Idle {
  readonly memory: number;
  /** Share of one CPU. */
  readonly cpu: number;
}

const idle = async (pid: number): Promise<Idle> => {
  // Until then, V8 compiles the code and collects the first garbage.
  await sleep(IDLE / 2);
  const before = cpuOf(pid).own;
  await sleep(IDLE);
  return { memory: memoryOf(pid).all, cpu: (cpuOf(pid).own - before) / IDLE };
};

// Returns true if a client is connected to the socket: the kernel lists its path once more, in state 3.
const connected = (socket: string): boolean =>
  readFileSync('/proc/net/unix', 'latin1')
    .split('\n')
    .some((line) => line.endsWith(` ${socket}`) && / 03 +\d+ /.test(line));

/**
 * Milliseconds until a channel is connected: since libvirt created its socket, and since the start event of the domain.
 */
interface Delays {
  readonly socket: number[];
  readonly start: number[];
}

const observer = new Subscription();

const ofQemu = async (libvirtd: PrivateLibvirtd, directory: string): Promise<Delays> => {
  const delays: Delays = { socket: [], start: [] };
  let started = Infinity;
  const connection = await new Promise<Connection>((resolve, reject) => {
    observer.add(connect$(libvirtd.uri).subscribe({ next: resolve, error: reject }));
  });
  observer.add(
    connection.lifecycle$.subscribe(({ kind }) => {
      if (kind === 'running') started = Math.min(started, performance.now());
    }),
  );
  for (let time = 0; time < QEMUS; time += 1) {
    const socket = path.join('/tmp', `vhostmd-bench-${process.pid}-${time}.sock`);
    const file = path.join(directory, `qemu-${time}.xml`);
    const devices = `<controller type='virtio-serial'/>${channelXml(socket)}`;
    writeFileSync(file, domainXml(`channel-${time}`, devices).replace('microvm', 'pc'), { mode: 0o644 });
    const create = libvirtd.virsh('create', '--paused', file);
    let there = 0;
    started = Infinity;
    for (const until = performance.now() + PATIENCE; !connected(socket); await sleep(1)) {
      if (there === 0 && existsSync(socket)) there = performance.now();
      if (performance.now() > until) throw new Error(`no connection to a channel of QEMU within ${PATIENCE} ms`);
    }
    const now = performance.now();
    await create;
    // The daemon may receive the event before the bench does.
    delays.socket.push(now - there);
    delays.start.push(Math.max(0, now - started));
    await libvirtd.destroy(`channel-${time}`);
  }
  return delays;
};

const run = async ({ machines, directory, say }: Bench): Promise<Result> => {
  const libvirtd = await machines.atLeast(0);
  const uri = libvirtd.uri.replace('qemu+unix:///session', 'test+unix:///default');
  const place = path.join(directory, 'channels');
  mkdirSync(place);
  const { config } = configuration('conf/vhostmd.xml', directory, 'channels');
  const other = configuration('conf/vhostmd.xml', directory, 'channels-without').config;
  const ports: Port[] = [];
  const open = async (count: number): Promise<readonly Port[]> => {
    const more: Port[] = [];
    for (let at = ports.length; at < count; at += 1) more.push(await openPort(place, `c${at}`));
    await createDomains(libvirtd, uri, more, place);
    ports.push(...more);
    return more;
  };
  const connectedAll = async (): Promise<void> =>
    await waitFor('all channels are connected', () => ports.every(({ peer }) => peer !== undefined));
  const daemon = await startDaemon(virtio(config, true), uri);
  try {
    say(`${ASKED} channels, each asked once`);
    await open(ASKED);
    await connectedAll();
    await sleep(1000);
    const answers: number[] = [];
    for (const port of ports) answers.push(await ask(port));
    say(`${MANY} channels, idle for ${(1.5 * IDLE) / 1000} s, beside a daemon without them`);
    await open(MANY);
    await connectedAll();
    const without = await startDaemon(virtio(other, false), uri);
    const [with1, with0] = await Promise.all([idle(daemon.pid), idle(without.pid)]).finally(() => without.stop());
    const third = configuration('conf/vhostmd.xml', directory, 'channels-of-qemu').config;
    const qemuDaemon = await startDaemon(virtio(third, true), libvirtd.uri);
    say(`${QEMUS} QEMU domains with a channel`);
    const delays = await ofQemu(libvirtd, directory).finally(async () => {
      observer.unsubscribe();
      await qemuDaemon.stop();
    });
    const ms = (what: string, values: readonly number[], share: number): Figure => ({
      what,
      value: percentile(values, share),
      unit: 'ms',
      count: values.length,
    });
    return {
      telemetry: [
        { ...ms(`a request until its whole answer, ${ASKED} channels, median`, answers, 0.5), target: 5 },
        ms('the same, p99', answers, 0.99),
        { ...ms("a VM's start until its channel is connected, median", delays.start, 0.5), target: 100 },
        { ...ms('the same, slowest', delays.start, 1), target: 100 },
        ms('since libvirt made its socket, before it starts QEMU, median', delays.socket, 0.5),
        {
          what: `RSS with ${MANY} idle channels, more than without`,
          value: with1.memory - with0.memory,
          unit: 'MiB',
          target: 20,
        },
        { what: 'CPU of that, share of one core', value: with1.cpu - with0.cpu, unit: 'ratio', target: 0.01 },
        { what: 'CPU of the daemon without channels', value: with0.cpu, unit: 'ratio' },
        { what: 'RSS of the daemon with channels', value: with1.memory, unit: 'MiB' },
      ],
      notes: [
        `channels: ${MANY} make-believe domains of libvirtd's test driver, whose sockets the bench serves in QEMU's place, and ${QEMUS} real QEMUs.`,
      ],
    };
  } finally {
    await daemon.stop();
    ports.forEach(closePort);
  }
};

export const channels: Row = {
  name: 'channels',
  about: 'virtio-serial: how soon a channel is connected and a request answered, and what idle channels cost',
  run,
};
