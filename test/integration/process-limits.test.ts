import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { action, HOST, TEST_URI } from '../cli/commands/program.ts';
import { readMetrics, until, valueOf } from '../support/daemon.ts';
import { processesWith } from '../support/processes.ts';
import { stage } from './process-stage.ts';

const { place, start } = stage();

// An unused user of Debian's: the limit counts all processes of a user.
const USER = 'games';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map(async (server) => await new Promise((resolve) => server.close(resolve))));
});

/** Returns the URI of libvirt's test driver with that many running domains, the same at each connection. */
const driverWith = (directory: string, count: number): string => {
  const uuidOf = (id: number): string => `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`;
  const domain = (id: number): string =>
    `<domain type='test'><name>vm${id}</name><uuid>${uuidOf(id)}</uuid><memory>8192</memory><vcpu>1</vcpu>` +
    `<os><type>hvm</type></os></domain>`;
  const file = path.join(directory, 'node.xml');
  writeFileSync(file, `<node>${Array.from({ length: count }, (_, at) => domain(at + 1)).join('')}</node>`);
  return `test://${file}`;
};

/**
 * Listens in QEMU's place for that many domains, in libvirt's layout; returns a function that counts the connections.
 */
const listenFor = async (folder: string, count: number): Promise<() => number> => {
  for (let id = 1; id <= count; id += 1) {
    const own = path.join(folder, `${id}-vm${id}`);
    mkdirSync(own, { recursive: true });
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
      socket.resume();
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path.join(own, 'org.github.vhostmd.1'), resolve));
  }
  return () => sockets.size;
};

describe('Limits', () => {
  it('CASE F4: with 64 descriptors and 100 channels the rest goes on, it is said once, and more descriptors help', async () => {
    const CHANNELS = 100;
    const { directory, disk, config } = place(HOST + action('Runs', 'date +%s.%N'), {
      globals: '<transport>virtio</transport>',
      sizeKiB: 1024,
    });
    const text = readFileSync(config, 'utf8').replace(
      '<update_period>',
      `<virtio><channel_path>${directory}/channels</channel_path></virtio><update_period>`,
    );
    writeFileSync(config, text);
    const daemon = await start(['-v', '-f', config, '-c', driverWith(directory, CHANNELS)]);
    // From outside, because Node raises its own limit to the maximum.
    execFileSync('prlimit', ['--pid', String(daemon.child.pid), '--nofile=64:4096']);
    const connected = await listenFor(path.join(directory, 'channels'), CHANNELS);
    const said = (line: RegExp): number => [...daemon.output().matchAll(line)].length;
    const reload = async (now: string): Promise<void> => {
      const before = said(/configuration: Reloading/g);
      writeFileSync(config, now);
      daemon.child.kill('SIGHUP');
      await until('the reload', () => said(/configuration: Reloading/g) === before + 1);
    };
    const runsAnew = async (): Promise<void> => {
      const before = await valueOf(disk, 'Runs');
      await until('the action runs', async () => ![undefined, before].includes(await valueOf(disk, 'Runs')));
    };
    await daemon.printed(/warning virtio-serial: \d+ channels cannot be opened: vhostmd has too many files open/);
    expect(connected()).toBeGreaterThan(0);
    expect(connected()).toBeLessThan(64);
    await runsAnew();
    await reload(text.replace('</metrics>', `${action('More', 'echo more')}</metrics>`));
    await until('its action', async () => (await valueOf(disk, 'More')) === 'more');
    for (let ticks = 0; ticks < 5; ticks += 1) await runsAnew();
    expect(await valueOf(disk, 'HostName')).not.toBeUndefined();
    expect(said(/too many/g)).toBe(1);
    expect(connected()).toBeLessThan(64);

    execFileSync('prlimit', ['--pid', String(daemon.child.pid), '--nofile=1024:4096']);
    await until('all are connected', () => connected() === CHANNELS, 30_000);
    await daemon.printed('There are descriptors for all channels again', 30_000);
    await reload(text.replace('</globals>', '<sink type="log"/></globals>'));
    await daemon.printed('"HostName"');
    await runsAnew();
    expect(connected()).toBe(CHANNELS);
    expect(said(/too many/g)).toBe(1);
    expect(said(/is connected again|has no value|may be refused|Not reloaded|by a bug/g)).toBe(0);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('FAULTS 9: 10,000 metrics are all published, and their actions run a few at a time', async () => {
    const { directory, disk, config } = place('', { sizeKiB: 4096, period: 20 });
    const running = path.join(directory, 'running');
    // Each action prints how many actions run at this moment. Equal commands would run only once.
    const command = `mkdir ${running}.$$; sleep 0.02; ls -d ${running}.* | wc -l; rmdir ${running}.$$`;
    const actions = Array.from({ length: 200 }, (_, at) => action(`A${at}`, `: ${at}; ${command}`));
    const stats = Array.from(
      { length: 9800 },
      (_, at) => `<metric type="uint64" context="host"><name>S${at}</name><stat>host.memory.total</stat></metric>`,
    );
    const text = readFileSync(config, 'utf8');
    writeFileSync(
      config,
      text.replace('<metrics>', () => `<metrics>${[...actions, ...stats].join('')}`),
    );
    await start([...TEST_URI, '-f', config]);
    await until('all metrics', async () => (await readMetrics(disk)).length === 10_000, 40_000);
    const beside = (await readMetrics(disk))
      .filter(({ name }) => name.startsWith('A'))
      .map(({ value }) => Number(value));
    expect(Math.max(...beside)).toBeLessThanOrEqual(8);
    expect(Math.max(...beside)).toBeGreaterThan(1);
  });

  it.runIf(process.getuid?.() === 0)(
    'FAULTS 26: an action that forks without end hurts nobody else for long: others fail while no process can be made, and come back',
    async () => {
      const marker = `9${String(process.pid).padStart(6, '0')}`;
      // The limit of the user stops it after some hundred processes.
      const bomb = `i=0; while [ $i -lt 400 ]; do sleep ${marker} & i=$((i+1)); done; wait`;
      const { directory, disk, config } = place(
        action('Good', 'echo good') +
          action('Bomb', `[ -e DIR/armed ] && { ${bomb}; }; echo calm`, { more: 'timeout="1"' }),
        { period: 2 },
      );
      writeFileSync(config, readFileSync(config, 'utf8').replaceAll('DIR', directory));
      const [uid = 0, gid = 0] = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, USER])));
      chownSync(directory, uid, uid);
      chmodSync(directory, 0o755);
      const daemon = await start([...TEST_URI, '-f', config, '-u', USER]);
      await until('the first value', async () => (await valueOf(disk, 'Good')) === 'good');
      // The daemon's own threads use about 30 of these.
      const same = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
      execFileSync('setpriv', [...same, 'prlimit', '--pid', String(daemon.child.pid), '--nproc=60:60']);
      writeFileSync(path.join(directory, 'armed'), '');
      await until('the bomb has gone off', () => processesWith('cmdline', `sleep\0${marker}\0`).length > 10, 20_000);
      await until(
        'it is ended at its deadline',
        () => processesWith('cmdline', `sleep\0${marker}\0`).length === 0,
        20_000,
      );
      rmSync(path.join(directory, 'armed'));
      const both = async (): Promise<readonly (string | undefined)[]> =>
        await Promise.all(['Bomb', 'Good'].map(async (name) => await valueOf(disk, name)));
      await until('both are well again', async () => (await both()).join() === 'calm,good', 20_000);
      expect(daemon.child.exitCode).toBeNull();
    },
  );
});
