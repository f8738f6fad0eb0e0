import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Snapshot } from '../../src/model/metric.ts';
import { ofDomain, sample, snapshot } from '../../src/testing/snapshots.ts';
import { until } from '../support/daemon.ts';
import { proxyTo, retainedOn, startBroker, subscriber } from './broker.ts';
import { loadExample, makeExample, running, testing } from './example.ts';

const { sinkContract } = await testing();
const { messagesOf } = await loadExample<{
  readonly messagesOf: (snapshot: Snapshot, base: string) => ReadonlyMap<string, string>;
}>('mqtt.js');

let broker: Awaited<ReturnType<typeof startBroker>>;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(async () => await broker.close());

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let hosts = 0;
const newHost = (): string => `host${(hosts += 1)}`;

const started = async (options: Readonly<Record<string, unknown>>, first: Snapshot) => {
  const run = running(await makeExample('mqtt.js', { url: broker.url, ...options }), first);
  closing.push(run.stop);
  return run;
};

describe('the example mqtt.js keeps the contract of a sink: it', () => {
  const make = async () => {
    const host = newHost();
    const heard = await subscriber(broker.url, `vhostmd/${host}/#`);
    const proxy = await proxyTo(broker.port);
    return {
      sink: await makeExample('mqtt.js', { url: proxy.url, host, timeout: 2000 }),
      hold: proxy.hold,
      fail: proxy.break,
      target: () => heard.heard.join('\n'),
      dispose: async () => {
        proxy.close();
        await heard.close();
      },
    };
  };
  for (const { name, run } of sinkContract(make)) it(name, run);
});

describe('the topics of the example mqtt.js', () => {
  it.each(['a/b', '+', '#', '$SYS', 'nul\u0000', 'x\ny', 'Ünï😀', '\ud800', ' ', '%2f', '..'])(
    'have one level for the name %j, whatever it holds',
    (name) => {
      const [[topic = '', value] = []] = messagesOf(snapshot(1, [sample(name, 'v')]), 'vhostmd/h');
      expect(topic).toMatch(/^vhostmd\/h\/host\/[\w.!~*'()%-]+$/);
      expect(decodeURIComponent(topic.slice('vhostmd/h/host/'.length))).toBe(name.replaceAll('\ud800', '\ufffd'));
      expect(value).toBe('v');
    },
  );

  it('are no longer than MQTT allows: such a metric is left out', () => {
    const messages = messagesOf(snapshot(1, [sample('x'.repeat(65_535), 'v'), sample('y', 'v')]), 'vhostmd/h');
    expect([...messages]).toEqual([['vhostmd/h/host/y', 'v']]);
  });
});

describe('the example mqtt.js', () => {
  const one = ofDomain(1, sample('CPU', '5'), sample('a/b+#', 'x'));
  const two = ofDomain(2, sample('CPU', '6'));
  const host = [sample('Load', '0.5')];

  it('retains every value, and removes those of a VM that has gone', async () => {
    const name = newHost();
    const sink = await started({ host: name }, snapshot(1, host, [one, two]));
    await sink.reported('written: 4 values published, 0 removed');
    const base = `vhostmd/${name}`;
    const ofTwo = {
      [`${base}/status`]: 'online',
      [`${base}/host/Load`]: '0.5',
      [`${base}/vm/${two.domain.uuid}/CPU`]: '6',
    };
    expect(await retainedOn(broker.url, `${base}/#`)).toEqual({
      ...ofTwo,
      [`${base}/vm/${one.domain.uuid}/CPU`]: '5',
      [`${base}/vm/${one.domain.uuid}/a%2Fb%2B%23`]: 'x',
    });
    const heard = await subscriber(broker.url, `${base}/vm/#`);
    closing.push(heard.close);
    await until('the retained values', () => heard.values.size === 3);
    sink.snapshots.next(snapshot(2, host, [two]));
    await sink.reported('written: 0 values published, 2 removed');
    await until('the end of the values', () => heard.values.size === 1);
    expect(heard.heard.at(-1)).toMatch(/ $/);
    expect(await retainedOn(broker.url, `${base}/#`)).toEqual(ofTwo);
  });

  it('publishes only changed values', async () => {
    const name = newHost();
    const sink = await started({ host: name }, snapshot(1, host, [one, two]));
    await sink.reported('written: 4 values published, 0 removed');
    sink.snapshots.next(snapshot(2, host, [one, ofDomain(2, sample('CPU', '7'))]));
    await sink.reported('written: 1 values published, 0 removed');
    sink.snapshots.next(snapshot(3, host, [one, ofDomain(2, sample('CPU', '7'))]));
    await sink.reported('written: 0 values published, 0 removed');
  });

  it('is marked offline by the broker when it ends, and its values stay', async () => {
    const name = newHost();
    const sink = await started({ host: name }, snapshot(1, host));
    await sink.reported('written: 1 values published, 0 removed');
    sink.stop();
    await until(
      'offline',
      async () => (await retainedOn(broker.url, `vhostmd/${name}/status`))[`vhostmd/${name}/status`] === 'offline',
    );
    expect(await retainedOn(broker.url, `vhostmd/${name}/host/#`)).toEqual({ [`vhostmd/${name}/host/Load`]: '0.5' });
  });

  it('removes old values that its previous run left on the broker', async () => {
    const name = newHost();
    const before = await started({ host: name }, snapshot(1, host, [one, two]));
    await before.reported('written: 4 values published, 0 removed');
    before.stop();
    const now = await started({ host: name }, snapshot(1, host, [two]));
    await now.reported(/^written: /);
    now.snapshots.next(snapshot(2, host, [two]));
    const base = `vhostmd/${name}/vm`;
    await until(
      'only the second VM',
      async () => Object.keys(await retainedOn(broker.url, `${base}/#`)).join() === `${base}/${two.domain.uuid}/CPU`,
    );
  });

  it('goes on after the broker was killed and started again, which has forgotten everything', async () => {
    const own = await startBroker();
    closing.push(own.close);
    const sink = await started({ host: 'h', url: own.url }, snapshot(1, host, [one]));
    await sink.reported('written: 3 values published, 0 removed');
    await own.kill();
    await sink.reported(/^failed: mqtt:\/\/127\.0\.0\.1:\d+: the connection is closed$/);
    sink.snapshots.next(snapshot(2, host, [two]));
    await sink.reported(/^failed: mqtt:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED/);
    expect(sink.reports.filter((report) => report.startsWith('failed'))).toHaveLength(2);
    await own.start();
    await sink.reported('written: 2 values published, 0 removed');
    expect(await retainedOn(own.url, 'vhostmd/#')).toEqual({
      'vhostmd/h/status': 'online',
      'vhostmd/h/host/Load': '0.5',
      [`vhostmd/h/vm/${two.domain.uuid}/CPU`]: '6',
    });
  });

  it('says why a broker does not let it in, and never the password', async () => {
    const own = await startBroker('allow_anonymous false');
    closing.push(own.close);
    const sink = await started({ url: own.url, username: 'me', password: 'secret' }, snapshot(1));
    await sink.reported(/^failed: mqtt:\/\/127\.0\.0\.1:\d+: Connection refused: Not authorized$/);
    expect(sink.reports.join()).not.toContain('secret');
  });
});
