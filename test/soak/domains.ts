import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import type { PrivateLibvirtd } from '../support/libvirtd.ts';
import { type Guest, KINDS, openGuest } from './guests.ts';

/** Domains that start and stop while a daemon runs. */
export interface Domains {
  readonly uri: string;
  /** Stops some and starts some others. */
  readonly churn: () => Promise<void>;
  /** Starts the domains that do not run, also after a restart of libvirtd. */
  readonly rest: () => Promise<void>;
  readonly guests: readonly Guest[];
  /** Number of starts and stops so far. */
  readonly changes: () => number;
  readonly close: () => void;
}

/** Returns a generator of numbers below a bound, the same in each run. */
export const numbers = (seed: number): ((below: number) => number) => {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
};

/** Real QEMU domains, which outlive libvirtd. */
export const qemuDomains = (libvirtd: PrivateLibvirtd, count: number): Domains => {
  const names = Array.from({ length: count }, (_, index) => `qemu-${index}`);
  // The same UUIDs run again: without a stop event, a private disk stays for minutes.
  const uuids = new Map(names.map((name) => [name, randomUUID()]));
  const running = new Set<string>();
  const number = numbers(1);
  let changes = 0;
  const start = async (name: string): Promise<void> => {
    await libvirtd.create(name, { uuid: uuids.get(name) ?? randomUUID() });
    running.add(name);
    changes += 1;
  };
  return {
    uri: libvirtd.uri,
    guests: [],
    changes: () => changes,
    churn: async () => {
      const name = names[number(count)] ?? '';
      if (!running.has(name)) return await start(name);
      await libvirtd.destroy(name);
      running.delete(name);
      changes += 1;
    },
    rest: async () => {
      for (const name of names) if (!running.has(name)) await start(name);
    },
    close: () => undefined,
  };
};

const CHANGES = 8;

const domainXml = (name: string, uuid: string, socket: string | undefined): string =>
  `<domain type='test'><name>${name}</name><uuid>${uuid}</uuid><memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os>` +
  (socket === undefined
    ? ''
    : `<devices><channel type='unix'><source mode='bind' path='${socket}'/>` +
      `<target type='virtio' name='org.github.vhostmd.1'/></channel></devices>`) +
  `</domain>`;

/** Simulated domains of libvirtd's test driver, many a second; two of each kind of guest have a channel. */
export const testDomains = async (libvirtd: PrivateLibvirtd, folder: string, count: number): Promise<Domains> => {
  const uri = libvirtd.uri.replace('qemu+unix:///session', 'test+unix:///default');
  mkdirSync(folder);
  const guests: Guest[] = [];
  const files: string[] = [];
  const indexes = Array.from({ length: count }, (_, index) => index);
  const names = Array.from({ length: count }, (_, index) => `test-${index}`);
  for (const [index, name] of names.entries()) {
    const kind = KINDS[index % KINDS.length];
    const socket = index < 2 * KINDS.length ? path.join(folder, `${index}.sock`) : undefined;
    if (socket !== undefined && kind !== undefined) {
      guests.push(await openGuest(kind, socket));
      chmodSync(socket, 0o777);
    }
    files.push(path.join(folder, `${name}.xml`));
    writeFileSync(files[index] ?? '', domainXml(name, randomUUID(), socket));
  }
  // The test driver forgets all domains when its last client disconnects. One virsh runs thousands of commands a
  // second.
  let virsh: ChildProcess | undefined;
  let [done, changes] = [0, 0];
  let running = new Set<number>();
  const number = numbers(2);
  const send = async (commands: readonly string[]): Promise<void> => {
    if (virsh === undefined || virsh.exitCode !== null) {
      virsh = spawn('virsh', ['-q', '-c', uri], { stdio: ['pipe', 'pipe', 'ignore'] });
      virsh.stdin?.on('error', () => undefined);
      virsh.stdout?.setEncoding('utf8');
    }
    const client = virsh;
    const { stdin, stdout } = client;
    const mark = `done-${(done += 1)}`;
    await new Promise<void>((resolve, reject) => {
      let text = '';
      const ended = (): void => reject(new Error('virsh has ended'));
      const listen = (data: string): void => {
        text += data;
        if (!text.includes(mark)) return;
        stdout?.off('data', listen);
        client.off('exit', ended);
        resolve();
      };
      stdout?.on('data', listen);
      client.once('exit', ended);
      stdin?.write(`${commands.join('\n')}\necho ${mark}\n`);
    });
    changes += commands.length;
  };
  const start = (index: number): string => {
    running.add(index);
    return `create ${files[index]}`;
  };
  const stop = (index: number): string => {
    running.delete(index);
    return `destroy ${names[index]}`;
  };
  return {
    uri,
    guests,
    changes: () => changes,
    churn: async () => {
      const some = new Set(Array.from({ length: CHANGES }, () => number(count)));
      await send([...some].map((index) => (running.has(index) ? stop(index) : start(index))));
    },
    rest: async () => {
      const alive = (await libvirtd.virsh('-c', uri, 'list', '--name')).split('\n');
      running = new Set(indexes.filter((index) => alive.includes(`${names[index]}`)));
      await send(indexes.filter((index) => !running.has(index)).map(start));
    },
    close: () => {
      virsh?.kill('SIGKILL');
      for (const guest of guests) guest.close();
    },
  };
};
