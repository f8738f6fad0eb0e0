import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { firstValueFrom, Subscription } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Domain } from '../../../src/model/metric.ts';
import { LibvirtError } from '../../../src/sources/libvirt/call.ts';
import { connect$ } from '../../../src/sources/libvirt/connection.ts';
import type { Connection, LifecycleEvent } from '../../../src/sources/libvirt/types.ts';
import { STATS_GROUP } from '../../../src/model/statistics.ts';
import { until } from '../../support/daemon.ts';
import { type PrivateLibvirtd, startLibvirtd } from '../../support/libvirtd.ts';
import { descriptorsOf } from '../../support/processes.ts';

const EMBEDDED = 'test:///default';

let libvirtd: PrivateLibvirtd;
let folder = '';
let open = new Subscription();
beforeAll(async () => {
  libvirtd = await startLibvirtd();
  folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-connection-'));
});
afterEach(() => {
  open.unsubscribe();
  open = new Subscription();
});
afterAll(async () => {
  await libvirtd.close();
  rmSync(folder, { recursive: true, force: true });
});

const connect = async (uri: string): Promise<{ readonly connection: Connection; readonly end: Promise<unknown> }> =>
  await new Promise((resolve, reject) => {
    let ended = (_error: unknown): void => undefined;
    const end = new Promise<unknown>((done) => (ended = done));
    open.add(
      connect$(uri).subscribe({
        next: (connection) => resolve({ connection, end }),
        error: (error: unknown) => {
          ended(error);
          reject(error);
        },
      }),
    );
  });

const descriptors = (): number => descriptorsOf(process.pid);

const memory = (): number => {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage.rss() / 1024 / 1024;
};

describe('A connection to libvirt', () => {
  it('has the name of its hypervisor, and lists the running domains', async () => {
    const { connection } = await connect(EMBEDDED);
    expect(connection.product).toMatch(/^TEST through libvirt \d+\.\d+\.\d+$/);
    const domains = await firstValueFrom(connection.domains$());
    expect(domains).toEqual([{ uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1, name: 'test' }]);
    const { fields } = await firstValueFrom(connection.info$(domains[0] as Domain));
    expect(fields.get('vcpu.current')).toBe(2);
    expect(Number(fields.get('balloon.maximum'))).toBe(8_388_608);
  });

  it('gives the statistics of real domains as virsh domstats prints them', async () => {
    const uuid = await libvirtd.create('s');
    const { connection } = await connect(libvirtd.uri);
    const domains = await firstValueFrom(connection.domains$());
    const groups = STATS_GROUP.state | STATS_GROUP.balloon | STATS_GROUP.vcpu | STATS_GROUP.block | STATS_GROUP.net;
    const [stats] = await firstValueFrom(connection.stats$(domains, groups));
    const printed = await libvirtd.virsh('domstats', '--state', '--balloon', '--vcpu', '--block', '--interface', uuid);
    const expected = [...printed.matchAll(/^ {2}([a-z0-9.]+)=(.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]);
    expect(expected.length).toBeGreaterThan(8);
    const changing = /rss|delay|wait|time/;
    const got = [...(stats?.fields ?? [])].map(([name, value]) => [name, String(value)]);
    expect(got.map(([name]) => name)).toEqual(expected.map(([name]) => name));
    expect(got.filter(([name]) => !changing.test(name ?? ''))).toEqual(
      expected.filter(([name]) => !changing.test(name ?? '')),
    );
    await libvirtd.destroy('s');
  });

  it('that cannot be opened fails with the reason of libvirt', async () => {
    const failure = await connect('qemu+unix:///session?socket=/nonexistent/sock').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LibvirtError);
    expect((failure as LibvirtError).message).toMatch(/^virConnectOpenAuth: .*\/nonexistent\/sock.*No such file/);
    expect((failure as LibvirtError).code).toBeTypeOf('number');
    await expect(connect('nonsense://')).rejects.toThrow(/virConnectOpenAuth: /);
  });

  it('answers a call for a domain that has gone with an error that says so', async () => {
    const { connection } = await connect(EMBEDDED);
    const nobody = { uuid: '00000000-0000-4000-8000-000000000000', id: 9, name: 'nobody' };
    await expect(firstValueFrom(connection.info$(nobody))).rejects.toMatchObject({ code: 42 });
    expect(await firstValueFrom(connection.stats$([nobody], STATS_GROUP.vcpu))).toEqual([]);
  });

  it('delivers every one of 2,000 starts and stops, in their order, with the right ids', async () => {
    const uri = libvirtd.uri.replace('qemu+unix:///session', 'test+unix:///default');
    const { connection } = await connect(uri);
    const events: LifecycleEvent[] = [];
    open.add(connection.lifecycle$.subscribe((event) => events.push(event)));
    const file = path.join(folder, 'storm.xml');
    writeFileSync(
      file,
      `<domain type='test'><name>storm</name><memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>`,
    );
    const before = { memory: memory(), descriptors: descriptors() };
    const virsh = spawn('virsh', ['-q', '-c', uri], { stdio: ['pipe', 'ignore', 'ignore'] });
    virsh.stdin.end(`create ${file}\ndestroy storm\n`.repeat(1000));
    await until('all events are there', () => events.length >= 2000, 30_000);
    await sleep(100);
    expect(events).toHaveLength(2000);
    expect(events.every(({ kind }, index) => kind === (index % 2 === 0 ? 'running' : 'gone'))).toBe(true);
    const ids = events.flatMap((event) => (event.kind === 'running' ? [event.domain.id] : []));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(ids).size).toBe(1000);
    expect(descriptors()).toBe(before.descriptors);
    expect(memory() - before.memory).toBeLessThan(40);
  });

  it.each(['test:///default', 'of libvirtd'])(
    'opened and closed 100 times leaves no descriptor and no memory (%s)',
    async (which) => {
      const uri = which === EMBEDDED ? which : libvirtd.uri;
      let before = { memory: 0, descriptors: 0 };
      for (let round = 0; round < 100; round += 1) {
        const { connection } = await connect(uri);
        await firstValueFrom(connection.domains$());
        open.unsubscribe();
        open = new Subscription();
        if (round === 30) before = { memory: memory(), descriptors: descriptors() };
      }
      await until('all are closed', () => descriptors() <= before.descriptors + 2);
      expect(memory() - before.memory).toBeLessThan(30);
      // libvirtd has closed its descriptors, too.
      expect(descriptorsOf(libvirtd.pid())).toBeLessThan(80);
    },
  );

  it('may be closed at any moment: while it is being opened, and with calls on the way', async () => {
    await libvirtd.create('busy');
    const before = descriptors();
    for (let round = 0; round < 60; round += 1) {
      const uri = round % 2 === 0 ? libvirtd.uri : EMBEDDED;
      const opening = connect$(uri).subscribe((connection) => {
        open.add(
          connection.domains$().subscribe((domains) => {
            for (const domain of domains) open.add(connection.info$(domain).subscribe({ error: () => undefined }));
            open.add(connection.stats$(domains, STATS_GROUP.vcpu).subscribe({ error: () => undefined }));
          }),
        );
      });
      await sleep(round % 12);
      opening.unsubscribe();
    }
    await until('all are closed', () => descriptors() <= before + 2);
    await libvirtd.destroy('busy');
  });

  it('that is lost with many calls on the way fails all of them, each with a reason', async () => {
    await Promise.all(['l0', 'l1', 'l2', 'l3', 'l4'].map((name) => libvirtd.create(name)));
    const { connection, end } = await connect(libvirtd.uri);
    const domains = await firstValueFrom(connection.domains$());
    expect(domains).toHaveLength(5);
    libvirtd.kill('SIGSTOP');
    const calls = [...domains, ...domains].map((domain) =>
      firstValueFrom(connection.info$(domain)).then(
        () => 'answered',
        (error: unknown) => (error instanceof LibvirtError && error.code !== undefined ? error.message : String(error)),
      ),
    );
    await sleep(200);
    libvirtd.kill('SIGKILL');
    for (const message of await Promise.all(calls)) expect(message).toMatch(/^virDomainGetInfo: (?!unknown error)./);
    expect(String(await end)).toMatch(/connection lost: end of file|connection lost: I\/O error/);
    await libvirtd.start();
  });
});
