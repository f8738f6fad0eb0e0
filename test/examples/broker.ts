import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import mqtt from 'mqtt';

import { until } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';

const answers = async (port: number): Promise<boolean> =>
  await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });

/** Starts Debian's mosquitto on its own port. As by default, it loses all messages at a restart. */
export const startBroker = async (settings = 'allow_anonymous true') => {
  const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-broker-'));
  const port = await freePort();
  const file = path.join(directory, 'mosquitto.conf');
  writeFileSync(file, `listener ${port} 127.0.0.1\n${settings}\n`);
  let broker: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    broker = spawn('/usr/sbin/mosquitto', ['-c', file], { stdio: 'ignore' });
    await until('the broker listens', async () => await answers(port));
  };
  const kill = async (): Promise<void> => {
    if (broker?.exitCode !== null || broker.signalCode !== null) return;
    broker.kill('SIGKILL');
    await once(broker, 'exit');
  };
  await start();
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    start,
    kill,
    close: async (): Promise<void> => {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};

/** Collects all messages below a topic, as `topic payload`; `values` has the last message of each topic. */
export const subscriber = async (url: string, topic = '#') => {
  const heard: string[] = [];
  const values = new Map<string, string>();
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 100 });
  client.on('message', (name, payload) => {
    const text = payload.toString();
    heard.push(`${name} ${text}`);
    if (text === '') values.delete(name);
    else values.set(name, text);
  });
  await client.subscribeAsync(topic, { qos: 1 });
  return { heard, values, close: async () => await client.endAsync(true) };
};

/** Returns the messages that a broker now retains, by topic. */
export const retainedOn = async (url: string, topic = '#'): Promise<Readonly<Record<string, string>>> => {
  const { values, close } = await subscriber(url, topic);
  // The broker sends retained messages before those published afterwards.
  const client = await mqtt.connectAsync(url);
  const mark = `mark/${Math.random()}`;
  const end = await subscriber(url, mark);
  await client.publishAsync(mark, 'x', { qos: 1 });
  await until('the mark', () => end.values.size > 0);
  await client.endAsync(true);
  await end.close();
  await close();
  return Object.fromEntries(values);
};

/** Starts a proxy to the broker that can hold or break connections. */
export const proxyTo = async (port: number) => {
  const state = { held: false, broken: false };
  const sockets = new Set<Socket>();
  const release: (() => void)[] = [];
  const server = createServer((incoming) => {
    if (state.broken) {
      incoming.destroy();
      return;
    }
    const outgoing = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    const join = (): void => {
      incoming.pipe(outgoing).pipe(incoming);
    };
    if (state.held) release.push(join);
    else join();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: () => {
      state.held = true;
      return () => {
        state.held = false;
        for (const join of release.splice(0)) join();
      };
    },
    break: () => {
      state.broken = true;
      for (const socket of sockets) socket.destroy();
      return () => {
        state.broken = false;
      };
    },
    close: (): void => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};
