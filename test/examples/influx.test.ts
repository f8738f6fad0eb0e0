import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it } from 'vitest';

import type { Snapshot } from '../../src/model/metric.ts';
import { ofDomain, sample, snapshot } from '../../src/testing/snapshots.ts';
import { until } from '../support/daemon.ts';
import { loadExample, makeExample, running, testing } from './example.ts';
import { influxServer, influxSocket, readPoints } from './influx-server.ts';
import { PATIENCE } from '../support/patience.ts';

const { sinkContract } = await testing();
const { toLines } = await loadExample<{
  readonly toLines: (
    snapshot: Snapshot,
    options: {
      readonly hostName: string;
      readonly time: number;
      readonly unsigned?: boolean;
      readonly most?: number;
    },
  ) => readonly string[];
}>('influx.js');

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const started = async (options: Readonly<Record<string, unknown>>, first: Snapshot) => {
  const run = running(await makeExample('influx.js', options), first);
  closing.push(run.stop);
  return run;
};

describe('the example influx.js keeps the contract of a sink: it', () => {
  const make = async () => {
    const server = await influxServer();
    const { state, accept } = server;
    const held: (() => void)[] = [];
    return {
      sink: await makeExample('influx.js', { url: server.url }),
      hold: () => {
        state.answer = (response, body) => held.push(() => accept(response, body));
        return () => {
          state.answer = accept;
          for (const answer of held.splice(0)) answer();
        };
      },
      fail: () => {
        state.answer = (response) => response.writeHead(500).end('partial write');
        return () => {
          state.answer = accept;
        };
      },
      target: () => server.bodies.join('\n'),
      dispose: server.close,
    };
  };
  for (const { name, run } of sinkContract(make)) it(name, run);
});

describe('the example influx.js keeps the contract of a sink over UDP: it', () => {
  const make = async () => {
    const socket = await influxSocket();
    const { url } = socket;
    return {
      sink: await makeExample('influx.js', { url }),
      // UDP has nothing to hold: a write always waits for a possible error of the network.
      hold: () => () => undefined,
      fail: () => {
        socket.pause();
        return socket.resume;
      },
      target: () => socket.datagrams.join('\n'),
      dispose: async () => await socket.close(),
    };
  };
  for (const { name, run } of sinkContract(make)) it(name, run);
});

describe('the lines of the example influx.js', () => {
  const options = { hostName: 'h 1', time: 1_700_000_000_000.4 };

  it('are a point for the host and one for each VM, with all types', () => {
    const value = snapshot(
      1,
      [
        { name: 'Load', type: 'real64', value: '+.5' },
        { name: 'Big', type: 'int64', value: '-9223372036854775808' },
        { name: 'Tiny', type: 'real32', value: '1e-30' },
        { name: 'Padded', type: 'uint32', value: '+007' },
        sample('Host', 'say "hi" \\o/'),
      ],
      [ofDomain(2, { name: 'CPUs', type: 'uint32', value: '4' })],
    );
    expect(toLines(value, options).map((line) => readPoints(line))).toEqual([
      [
        {
          measurement: 'vhostmd_host',
          tags: { host: 'h 1' },
          fields: { Load: 0.5, Big: -(2n ** 63n), Tiny: 1e-30, Padded: 7n, Host: 'say "hi" \\o/' },
          time: 1_700_000_000_000_000_000n,
        },
      ],
      [
        {
          measurement: 'vhostmd_vm',
          tags: { host: 'h 1', name: 'vm2', uuid: '6be3fdb8-bef5-6fec-b1b7-000000000002' },
          fields: { CPUs: 4n },
          time: 1_700_000_000_000_000_000n,
        },
      ],
    ]);
  });

  it('have unsigned integers only if that is asked for, else none that InfluxDB 1 could not hold', () => {
    const value = snapshot(1, [
      { name: 'Most', type: 'uint64', value: '18446744073709551615' },
      { name: 'Some', type: 'uint64', value: '5' },
    ]);
    expect(toLines(value, options)).toEqual(['vhostmd_host,host=h\\ 1 Some=5i 1700000000000000000']);
    expect(toLines(value, { ...options, unsigned: true })).toEqual([
      'vhostmd_host,host=h\\ 1 Most=18446744073709551615u,Some=5u 1700000000000000000',
    ]);
  });

  it('are not longer than asked for: a point is divided', () => {
    const many = Array.from({ length: 100 }, (_, index) => sample(`metric ${index}`, 'ü'.repeat(20)));
    const lines = toLines(snapshot(1, many), { ...options, most: 300 });
    expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(300);
    expect(lines.length).toBeGreaterThan(10);
    const points = readPoints(lines.join('\n'));
    expect(points.flatMap(({ fields }) => Object.keys(fields))).toEqual(many.map(({ name }) => name));
    expect(toLines(snapshot(1, []), options)).toEqual([]);
  });

  it.each([
    'a b,c=d',
    'a,host=other',
    'x\nvhostmd_host,host=h fake=1',
    'ends in \\',
    'back\\,slash\\ =\\',
    '"quoted"',
    '\u0000\t\u007f',
    '# no comment',
    'Ünï😀\ud800',
    ' ',
  ])('cannot be broken by the text %j, wherever it stands', (text) => {
    const domain = { ...ofDomain(3).domain, name: text };
    const value = snapshot(1, [], [{ domain, samples: [sample(text, text), sample('other', 'value')] }]);
    const [line = ''] = toLines(value, { ...options, hostName: text });
    const [point, ...others] = readPoints(Buffer.from(line, 'utf8').toString('utf8'));
    expect(others).toEqual([]);
    expect(point?.measurement).toBe('vhostmd_vm');
    expect(Object.keys(point?.tags ?? {})).toEqual(['host', 'name', 'uuid']);
    expect(Object.keys(point?.fields ?? {})).toHaveLength(2);
    expect(point?.fields['other']).toBe('value');
    // Unchanged, except for control characters, lone surrogates, and the backslash in names.
    // oxlint-disable-next-line no-control-regex
    const kept = text.replaceAll(/[\u0000-\u001f\u007f]/g, ' ').replaceAll('\ud800', '\ufffd');
    expect(Object.values(point?.fields ?? {})[0]).toBe(kept);
    expect(point?.tags['name']).toBe(kept.replaceAll('\\', '/'));
  });

  it('have no field that InfluxDB keeps for itself, or that is named like a tag', () => {
    const value = snapshot(1, [sample('time', 'a'), sample('_x', 'b'), sample('uuid', 'c'), sample('Time', 'd')]);
    const [point] = readPoints(toLines(value, options).join('\n'));
    expect(point?.fields).toEqual({ metric_time: 'a', metric__x: 'b', metric_uuid: 'c', Time: 'd' });
  });
});

describe('the example influx.js', () => {
  it('sends the token, and says neither it nor a password of the URL', async () => {
    const server = await influxServer();
    closing.push(server.close);
    const sink = await started({ url: `${server.url}&p=secret`, token: 'secret' }, snapshot(1));
    await sink.reported('written: 1 lines');
    server.state.answer = (response) => response.writeHead(401).end('unauthorized access');
    sink.snapshots.next(snapshot(2));
    const where = server.url.replace(/\?.*/, '');
    await sink.reported(`failed: ${where} answers 401 Unauthorized: unauthorized access`);
    expect(server.requests[0]).toEqual({ url: '/write?db=vhostmd&p=secret', authorization: 'Token secret' });
    expect(sink.reports.join()).not.toContain('secret');
  });

  it('reports that the server is missing, and continues by itself', async () => {
    const server = await influxServer();
    const { url } = server;
    server.close();
    const sink = await started({ url }, snapshot(1));
    await sink.reported(/^failed: http:\/\/127\.0\.0\.1:\d+\/write: connect ECONNREFUSED/);
    expect(sink.reports.filter((report) => report.startsWith('failed'))).toHaveLength(1);
  });

  it('gives a slow server up after the timeout, and tries again', async () => {
    const server = await influxServer();
    closing.push(server.close);
    server.state.answer = () => undefined;
    const sink = await started({ url: server.url, timeout: 150 }, snapshot(1));
    await sink.reported(/^failed: .*\/write does not answer within 0.15 s$/);
    server.state.answer = server.accept;
    await sink.reported('written: 1 lines');
    expect(server.points()).toHaveLength(1);
  });

  it.each(['it is closed', 'the server is too slow'])('leaves no request behind when %s', async (when) => {
    const server = await influxServer();
    closing.push(server.close);
    let came = false;
    let gone = false;
    server.state.answer = (response) => {
      came = true;
      response.on('close', () => (gone = true));
    };
    const patience = when === 'it is closed' ? 5000 : 150;
    const sink = await started({ url: server.url, timeout: patience }, snapshot(1));
    await until('the request', () => came);
    if (when === 'it is closed') sink.stop();
    await until('the end of the request', () => gone, 3000);
  });

  it('stamps points with the time of the wall', async () => {
    const server = await influxServer();
    closing.push(server.close);
    const before = Date.now();
    const sink = await started({ url: server.url }, { ...snapshot(1), at: before });
    await sink.reported('written: 1 lines');
    const [point] = server.points();
    expect(Math.abs(Number((point?.time ?? 0n) / 1_000_000n) - before)).toBeLessThan(1000 * PATIENCE);
  });

  it('sends datagrams of whole lines that fit into one frame', async () => {
    const socket = await influxSocket();
    closing.push(socket.close);
    const domainMetrics = Array.from({ length: 50 }, (_, id) =>
      ofDomain(id, sample('A', 'x'.repeat(60)), sample('B', 'tick 1')),
    );
    const sink = await started({ url: socket.url }, snapshot(1, [sample('Tick', 'tick 1')], domainMetrics));
    await sink.reported('written: 51 lines');
    await until('all points', () => socket.points().length === 51);
    expect(Math.max(...socket.datagrams.map(({ length }) => length))).toBeLessThanOrEqual(1400);
    expect(socket.datagrams.length).toBeLessThan(20);
  });

  it('reports over UDP, once, that the server is missing, and continues when it is back', async () => {
    const gone = await influxSocket();
    await gone.close();
    const sink = await started({ url: gone.url }, snapshot(1));
    for (let tick = 2; tick < 8; tick += 1) {
      sink.snapshots.next(snapshot(tick));
      await sleep(20);
    }
    await sink.reported(/^failed: .*ECONNREFUSED/);
    await sleep(300);
    expect(sink.reports.filter((report) => !report.startsWith('opened'))).toHaveLength(1);
    const again = await influxSocket(Number(new URL(gone.url).port));
    closing.push(again.close);
    await sink.reported('written: 1 lines');
    expect(again.points()[0]?.fields).toEqual({ Tick: 'tick 7' });
  });

  it('refuses a URL that it cannot send to', async () => {
    const { default: definition } = await loadExample<{
      readonly default: {
        readonly options: { readonly url: { readonly check: (text: string) => string | undefined } };
      };
    }>('influx.js');
    const { check } = definition.options.url;
    for (const url of ['influx', 'udp://host', 'ftp://host/', '/write']) expect(check(url), url).toMatch(/^a URL like/);
    for (const url of ['udp://[::1]:8089', 'https://host/api/v2/write?org=o&bucket=b'])
      expect(check(url), url).toBe(undefined);
  });
});
