import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { asyncScheduler, concatMap, Subject, type Subscription } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';

import type { Family } from '../../../src/model/metric-family.ts';
import type { Snapshot } from '../../../src/model/metric.ts';
import type { Address } from '../../../src/sinks/prometheus/listen.ts';
import { prometheus } from '../../../src/sinks/prometheus/sink.ts';
import type { Sink, SinkReport } from '../../../src/sinks/sink.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';
import { until } from '../../support/daemon.ts';
import { describeSinkContract } from '../contract.ts';
import { freePort } from '../../support/free-port.ts';
import { scrape } from './scrape.ts';

const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of left.splice(0).reverse()) await undo();
});

const folder = (): string => {
  const made = mkdtempSync(path.join(tmpdir(), 'vhostmd-prometheus-'));
  left.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
};
const unix = (): Address & { kind: 'unix' } => ({ kind: 'unix', path: path.join(folder(), 'metrics.sock') });
const tcp = async (): Promise<Address & { kind: 'tcp' }> => ({
  kind: 'tcp',
  host: '127.0.0.1',
  port: await freePort(),
});

const running = (address: Address, telemetry: () => readonly Family[] = () => []) => {
  const snapshots = new Subject<Snapshot>();
  const reports: SinkReport[] = [];
  const sink = prometheus({
    address,
    path: '/metrics',
    scheduler: asyncScheduler,
    backoff: { first: 10, most: 50 },
    telemetry,
  });
  const subscription: Subscription = sink.run(snapshots).subscribe((report) => reports.push(report));
  left.push(() => subscription.unsubscribe());
  return {
    give: (value: Snapshot): void => snapshots.next(value),
    said: (kind: SinkReport['kind']): readonly string[] =>
      reports.filter((report) => report.kind === kind).map(({ message }) => message),
    reported: async (kind: SinkReport['kind'], count = 1) =>
      await until(`${count} ${kind}`, () => reports.filter((report) => report.kind === kind).length >= count),
    stop: (): void => subscription.unsubscribe(),
  };
};

describeSinkContract('the Prometheus sink', (scheduler) => {
  const address = unix();
  const pages: string[] = [];
  const made = prometheus({ address, path: '/metrics', scheduler, backoff: { first: 10, most: 50 } });
  // A written snapshot can be scraped, so each report is emitted after a scrape.
  const sink: Sink = {
    ...made,
    run: (snapshot$) =>
      made.run(snapshot$).pipe(
        concatMap(async (report) => {
          if (report.kind === 'written') pages.push(await scrape(address).then(({ body }) => body, String));
          return report;
        }),
      ),
  };
  const block = () => {
    rmSync(address.path, { force: true });
    mkdirSync(address.path);
    return () => rmdirSync(address.path);
  };
  return { sink, hold: block, fail: block, target: () => pages.join('\n') };
});

describe('the Prometheus sink', () => {
  it('serves the newest snapshot and the own figures, and a VM that has gone leaves no series', async () => {
    const address = await tcp();
    const own: Family = { name: 'vhostmd_x', help: 'x', type: 'gauge', series: [{ labels: {}, value: 3 }] };
    const sink = running(address, () => [own]);
    await sink.reported('opened');
    sink.give(snapshot(1, [], [ofDomain(1, sample('A', 'one')), ofDomain(2, sample('A', 'two'))]));
    const both = await scrape(address);
    expect(both.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(both.body).toContain(
      'vhostmd_vm_a_info{value="two",domain="vm2",uuid="6be3fdb8-bef5-6fec-b1b7-000000000002"} 1',
    );
    expect(both.body).toContain('\nvhostmd_x 3\n');
    sink.give(snapshot(2, [], [ofDomain(1, sample('A', 'one'))]));
    const one = await scrape(address);
    expect(one.body).toContain('domain="vm1"');
    expect(one.body).not.toContain('000000000002');
    expect(sink.said('opened')).toEqual([`Metrics are served at http://127.0.0.1:${address.port}/metrics`]);
  });

  it('answers GET and HEAD of its path only, a query does not matter', async () => {
    const address = unix();
    const sink = running(address);
    sink.give(snapshot(1));
    await sink.reported('written');
    const page = await scrape(address, { path: '/metrics?x=1' });
    expect(page.status).toBe(200);
    const head = await scrape(address, { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(page.body)));
    for (const other of ['/metrics/', '/../metrics', '//metrics'])
      expect((await scrape(address, { path: other })).status).toBe(404);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE'])
      expect(await scrape(address, { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });

  it('says that its port is in use, tries again, and serves when it is free', async () => {
    const address = await tcp();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(address.port, '127.0.0.1', resolve));
    left.push(() => other.close());
    const sink = running(address);
    sink.give(snapshot(4));
    await sink.reported('failed');
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(sink.said('failed')).toEqual([
      `Cannot listen on 127.0.0.1:${address.port}: another program listens there; stop it, or choose another with <option name="listen">`,
    ]);
    other.close();
    await sink.reported('written');
    expect((await scrape(address)).body).toContain('value="tick 4"');
  });

  it('takes over a socket without a server, and leaves one in use and files that are no socket', async () => {
    const address = unix();
    const first = running(address);
    await first.reported('opened');
    const second = running(address);
    await second.reported('failed');
    expect(second.said('failed')).toEqual([`${address.path} is in use: another program listens there`]);
    second.stop();
    first.give(snapshot(1));
    expect((await scrape(address)).body).toContain('tick 1');
    first.stop();
    expect(existsSync(address.path)).toBe(false);

    writeFileSync(address.path, 'mine');
    const third = running(address);
    await third.reported('failed');
    expect(third.said('failed')[0]).toContain('is in the way: it is not a socket');
    third.stop();
    expect(lstatSync(address.path).isFile()).toBe(true);
  });

  it('makes its socket again when it has been removed', async () => {
    const address = unix();
    const sink = running(address);
    await sink.reported('opened');
    rmSync(address.path);
    sink.give(snapshot(5));
    await sink.reported('opened', 2);
    await sink.reported('written');
    expect(sink.said('failed')).toEqual([`${address.path} was removed or replaced, so it is made again`]);
    expect((await scrape(address)).body).toContain('tick 5');
  });

  it('its socket is for its user and group only', async () => {
    const address = unix();
    const sink = running(address);
    await sink.reported('opened');
    expect(lstatSync(address.path).mode & 0o777).toBe(0o660);
  });

  it('clients that hold connections, ask slowly or send headers without end block no others', async () => {
    const address = await tcp();
    const sink = running(address);
    await sink.reported('opened');
    sink.give(snapshot(1));
    const sockets: Socket[] = [];
    left.push(() => sockets.forEach((socket) => socket.destroy()));
    let closed = 0;
    const dial = (text: string): void => {
      const socket = connect(address.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => (closed += 1));
      socket.resume();
      socket.write(text);
      sockets.push(socket);
    };
    for (let count = 0; count < 200; count += 1) dial('GET /metrics HTTP/1.1\r\nX-Slow: ');
    await until('the oldest are closed', () => closed >= 200 - 32, 3000);
    expect((await scrape(address)).status).toBe(200);
    dial(`GET /metrics HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`);
    // Connections with unfinished requests are closed, too.
    await until('all are closed', () => closed === 201, 10_000);
    expect((await scrape(address)).status).toBe(200);
  });
});
