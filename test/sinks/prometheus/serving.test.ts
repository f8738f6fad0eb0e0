import { connect, type Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { asyncScheduler, Subject } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';

import type { Family } from '../../../src/model/metric-family.ts';
import type { MetricDefinition, Snapshot } from '../../../src/model/metric.ts';
import { variantOf } from '../../../src/sinks/prometheus/content-negotiation.ts';
import { type Address, addressOf, isLocal } from '../../../src/sinks/prometheus/listen.ts';
import { prometheus } from '../../../src/sinks/prometheus/sink.ts';
import type { SinkReport } from '../../../src/sinks/sink.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';
import { until } from '../../support/daemon.ts';
import { freePort } from '../../support/free-port.ts';
import { scrape } from './scrape.ts';

const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of left.splice(0).reverse()) await undo();
});

const tcp = async (): Promise<Address> => ({ kind: 'tcp', host: '127.0.0.1', port: await freePort() });
const unix = async (): Promise<Address> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-serving-'));
  left.push(() => rmSync(folder, { recursive: true, force: true }));
  return await Promise.resolve({ kind: 'unix', path: path.join(folder, 'metrics.sock') });
};

const running = async (address: Address, telemetry: () => readonly Family[] = () => [], page = '/metrics') => {
  const snapshots = new Subject<Snapshot>();
  const reports: SinkReport[] = [];
  const made = prometheus({ address, path: page, scheduler: asyncScheduler, telemetry });
  const subscription = made.run(snapshots).subscribe((report) => reports.push(report));
  left.push(() => subscription.unsubscribe());
  await until('it listens', () => reports.some(({ kind }) => kind === 'opened'));
  return {
    give: (value: Snapshot): void => snapshots.next(value),
    said: (kind: SinkReport['kind']) => reports.filter((report) => report.kind === kind).map(({ message }) => message),
  };
};
const dial = (address: Address, text: string | Buffer): Socket => {
  const socket = address.kind === 'unix' ? connect(address.path) : connect(address.port, address.host ?? '127.0.0.1');
  socket.on('error', () => undefined);
  left.push(() => socket.destroy());
  socket.write(text);
  return socket;
};

const counter: MetricDefinition = {
  index: 0,
  name: 'cpu "time"',
  type: 'uint64',
  context: 'vm',
  source: { kind: 'stat', stat: 'cpu.time' },
  variables: [],
  every: 1,
  timeout: 1000,
  place: { file: 'f', line: 1, column: 1 },
};
const large = (tick: number, count: number): Snapshot => ({
  ...snapshot(
    tick,
    [],
    Array.from({ length: count }, (_, at) =>
      ofDomain(at + 1, { name: counter.name, type: 'uint64', value: String(at) }),
    ),
  ),
  metrics: [counter],
});
const GET = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n';

describe.each([
  ['a port', tcp],
  ['a unix socket', unix],
])('CASE F3: at %s', (_where, place) => {
  it('50 connections with 1,000 requests each that read nothing cost one page, and snapshots are taken', async () => {
    const address = await place();
    let rendered = 0;
    const sink = await running(address, () => {
      rendered += 1;
      return [];
    });
    sink.give(large(1, 3000));
    const before = process.memoryUsage().rss;
    const from = performance.now();
    const sockets = Array.from({ length: 50 }, () => dial(address, GET.repeat(1000)).pause());
    await until('all are connected', () => sockets.every(({ connecting }) => !connecting));
    for (let tick = 2; tick < 12; tick += 1) {
      sink.give(large(tick, 3000));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // Another scraper gets its page meanwhile.
    expect((await scrape(address)).body).toContain('domain="vm3000"');
    await until('all snapshots are taken', () => sink.said('written').length === 11);
    // Once for each snapshot and each second, not for each request.
    expect(rendered).toBeLessThanOrEqual(12 + (performance.now() - from) / 1000);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 2 ** 20);
  });

  it('some requests of one connection are answered one after the other, with one page', async () => {
    const address = await place();
    let rendered = 0;
    const sink = await running(address, () => {
      rendered += 1;
      return [];
    });
    sink.give(large(1, 3));
    const socket = dial(address, GET.repeat(5));
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString()));
    await until('five answers', () => text.split('domain="vm3"').length === 6);
    expect(rendered).toBeLessThanOrEqual(2);
  });

  it.each([
    ['asks for too much at once', GET.repeat(1000)],
    ['sends a header without end', `GET /metrics HTTP/1.1\r\nX: ${'x'.repeat(100_000)}`],
    ['sends many headers', `GET /metrics HTTP/1.1\r\n${'X: y\r\n'.repeat(10_000)}`],
    [
      'sends a body without end',
      `POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n${'x'.repeat(1 << 20)}`,
    ],
    ['sends a body in pieces', 'GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n'],
    ['says nothing', ''],
    ['stops in the middle', 'GET /metrics HT'],
    ['speaks no HTTP', '\u0016\u0003\u0001'],
  ])('whoever %s is left, and others are served', async (_what, text) => {
    const address = await place();
    const sink = await running(address);
    sink.give(large(1, 300));
    const socket = dial(address, text);
    let closed = false;
    socket.once('close', () => (closed = true));
    socket.resume();
    await until('it is closed', () => closed, 30_000);
    expect((await scrape(address)).status).toBe(200);
  });
});

describe('CASE C3: listen', () => {
  it.each<[string, Address | undefined]>([
    [':9177', { kind: 'tcp', port: 9177 }],
    ['*:9177', { kind: 'tcp', port: 9177 }],
    ['9177', { kind: 'tcp', port: 9177 }],
    ['[::]:9177', { kind: 'tcp', host: '::', port: 9177 }],
    ['0.0.0.0:9177', { kind: 'tcp', host: '0.0.0.0', port: 9177 }],
    ['localhost:1', { kind: 'tcp', host: 'localhost', port: 1 }],
    ['node-7.example.org:65535', { kind: 'tcp', host: 'node-7.example.org', port: 65_535 }],
    ['[fe80::1%eth0]:9177', { kind: 'tcp', host: 'fe80::1%eth0', port: 9177 }],
    ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['::1:9177', undefined],
    ['[::g]:9177', undefined],
    ['[1]:9177', undefined],
    [':0', undefined],
    [':65536', undefined],
    [':', undefined],
    ['localhost', undefined],
    ['http://localhost:9177', undefined],
    ['unix:x', undefined],
  ])('%s is taken as all exporters do, or refused', (text, expected) => {
    expect(addressOf(text)).toEqual(expected);
  });

  it.each([':', '*:', '', '[::]:', 'localhost:'])(
    '%sPORT is served, with a warning if others can reach it',
    async (before) => {
      const port = await freePort();
      const address = addressOf(`${before}${port}`);
      if (address === undefined) throw new Error('no address');
      const sink = await running(address);
      sink.give(snapshot(1));
      // The machine's own name may have only an IPv6 address.
      const host = before === 'localhost:' ? 'localhost' : '127.0.0.1';
      await until('a page', async () => (await scrape({ kind: 'tcp', host, port })).status === 200);
      expect(sink.said('opened')[0]?.includes('everyone who can reach')).toBe(!isLocal(address));
      expect(isLocal(address)).toBe(before === 'localhost:');
    },
  );
});

describe('CASE C3: what a client takes', () => {
  const PROMETHEUS =
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
  it.each([
    [undefined, 'text'],
    ['*/*', 'text'],
    ['text/html,*/*;q=0.8', 'text'],
    [PROMETHEUS, 'openmetrics'],
    ['application/openmetrics-text', 'openmetrics'],
    ['Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8', 'openmetrics'],
    ['application/openmetrics-text;version=0.0.1', 'text'],
    ['application/openmetrics-text;version=9.0.0,text/plain;q=0.1', 'text'],
    ['application/openmetrics-text;q=0', 'text'],
    ['application/openmetrics-text;q=0.3,text/plain;q=0.7', 'text'],
    ['application/openmetrics-text;q=0.7,text/plain;q=0.3', 'openmetrics'],
    ['application/openmetrics-text;q=nonsense', 'text'],
    [',;,=;q', 'text'],
  ])('%s gives %s', (accept, format) => {
    expect(variantOf(accept).format).toBe(format);
  });

  it.each([
    [undefined, false],
    ['gzip', true],
    ['deflate, GZIP;q=0.5', true],
    ['x-gzip', true],
    ['gzip;q=0', false],
    ['gzip;q=0.000', false],
    ['*', true],
    ['*;q=0', false],
    ['gzip;q=0, *', false],
    ['identity;q=1, gzip;q=0.5', false],
    ['br', false],
  ])('Accept-Encoding %s compresses: %s', (encoding, gzip) => {
    expect(variantOf('', encoding).gzip).toBe(gzip);
  });

  it('is sent: the same page, compressed or as OpenMetrics, each with its type', async () => {
    const address = await unix();
    const own: Family = { name: 'vhostmd_x_total', help: 'an "x"', type: 'counter', series: [{ value: 3 }] };
    const sink = await running(address, () => [own]);
    sink.give({ ...large(1, 2), host: [sample('A', 'one')] });
    const plain = await scrape(address);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const small = await scrape(address, { headers: { 'Accept-Encoding': 'gzip' } });
    expect(small).toMatchObject({ status: 200, body: plain.body });
    expect(small.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept, Accept-Encoding' });
    expect(Number(small.headers['content-length'])).toBeLessThan(Number(plain.headers['content-length']));
    const head = await scrape(address, { method: 'HEAD', headers: { 'Accept-Encoding': 'gzip' } });
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.headers['content-length']).toBe(small.headers['content-length']);

    const open = await scrape(address, { headers: { Accept: PROMETHEUS, 'Accept-Encoding': 'gzip' } });
    expect(open.headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(open.body).toMatch(/\n# EOF\n$/);
    expect(open.body.match(/# EOF/g)).toHaveLength(1);
    expect(open.body).not.toMatch(/\n\n|untyped/);
    expect(open.body).toContain("# HELP vhostmd_vm_cpu_time_seconds cpu 'time' in seconds, from statistic cpu.time\n");
    expect(open.body).toContain('# TYPE vhostmd_vm_cpu_time_seconds counter\nvhostmd_vm_cpu_time_seconds_total{');
    expect(open.body).toContain('# TYPE vhostmd_x counter\nvhostmd_x_total 3\n');
    const valuesOf = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(valuesOf(open.body)).toEqual(valuesOf(plain.body));
  });

  it('is a whole page before there is a snapshot', async () => {
    const address = await unix();
    await running(address);
    const { body } = await scrape(address, { headers: { Accept: PROMETHEUS } });
    expect(body).toMatch(/^# HELP .*\n# TYPE .*\nvhostmd_prometheus_unshown_values 0\n# EOF\n$/);
  });
});

describe('CASE C3: the paths', () => {
  it('/ has a link to the metrics, other paths have nothing, and only GET and HEAD are taken', async () => {
    const address = await unix();
    const sink = await running(address, () => [], '/own/metrics');
    sink.give(snapshot(1));
    const root = await scrape(address, { path: '/' });
    expect(root).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(root.body).toContain('<a href="/own/metrics">');
    expect(await scrape(address, { path: '/', method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    expect((await scrape(address, { path: '/', method: 'POST' })).status).toBe(405);
    expect((await scrape(address, { path: '/metrics' })).status).toBe(404);
    expect((await scrape(address, { path: '/own/metrics' })).status).toBe(200);
  });

  it('/ has the metrics if it is configured as their path', async () => {
    const address = await unix();
    const sink = await running(address, () => [], '/');
    sink.give(large(1, 1));
    expect((await scrape(address, { path: '/' })).body).toContain('domain="vm1"');
  });
});
