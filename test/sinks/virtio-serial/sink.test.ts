import { setTimeout as sleep } from 'node:timers/promises';

import { TestScheduler } from 'rxjs/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { escapeXml } from '../../../src/model/metrics-xml.ts';
import { ofDomain, sample } from '../../../src/testing/snapshots.ts';
import { domain, REQUEST, snapshotOf, stage } from './qemu.ts';
import type { SerialStage } from './qemu.ts';
import { PATIENCE } from '../../support/patience.ts';

let run: SerialStage;
beforeEach(() => {
  run = stage();
});
afterEach(() => run.close());

const soon = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 5000 * PATIENCE, interval: 5 });

describe('the virtio-serial sink', () => {
  it('answers with the metrics of the host and of this domain only, byte for byte', async () => {
    const qemu = await run.qemu('one');
    run.publish(
      snapshotOf([domain(1, qemu.path), domain(2)], {
        host: [{ name: 'Löad', type: 'real64', value: '0.50', unit: '%' }],
        domainMetrics: [ofDomain(1, sample('A', '<1>')), ofDomain(2, sample('A', '2'))],
      }),
    );
    qemu.send(REQUEST);
    await soon(() => expect(qemu.received()).toContain('</metrics>\n\n'));
    expect(qemu.received()).toBe(`<metrics>
  <metric type='real64' context='host' unit='%'>
    <name>L&#xF6;ad</name>
    <value>0.50</value>
  </metric>
  <metric type='string' context='vm' id='1' uuid='6be3fdb8-bef5-6fec-b1b7-000000000001'>
    <name>A</name>
    <value>&lt;1&gt;</value>
  </metric>
</metrics>

`);
  });

  it('sends nothing that was not asked for', async () => {
    const qemu = await run.qemu('one');
    const domains = [domain(1, qemu.path)];
    run.publish(snapshotOf(domains));
    await soon(() => expect(qemu.connected()).toBe(true));
    for (let tick = 1; tick < 5; tick += 1) run.publish(snapshotOf(domains, { tick }));
    await sleep(50);
    expect(qemu.received()).toBe('');
  });

  it('answers from the newest snapshot', async () => {
    const qemu = await run.qemu('one');
    const domains = [domain(1, qemu.path)];
    for (const tick of [1, 2, 3]) {
      run.publish(snapshotOf(domains, { tick, host: [sample('Tick', `tick ${tick}`)] }));
      qemu.send(REQUEST);
      await soon(() => expect(qemu.received()).toContain(`tick ${tick}`));
    }
  });

  it('FAULTS 68: a guest that asks before there are metrics gets comments in their place', async () => {
    const qemu = await run.qemu('one');
    qemu.send(REQUEST);
    run.publish(snapshotOf([domain(1, qemu.path)], { host: [], domainMetrics: [] }));
    await soon(() =>
      expect(qemu.received()).toBe(
        '<metrics>\n<!-- host metrics not available -->\n<!-- VM metrics not available -->\n</metrics>\n\n',
      ),
    );
  });

  it('a domain that has no values yet gets those of the host', async () => {
    const qemu = await run.qemu('one');
    qemu.send(REQUEST);
    run.publish(snapshotOf([domain(1, qemu.path)], { domainMetrics: [ofDomain(2, sample('A', '2'))] }));
    await soon(() => expect(qemu.received()).toContain('</metrics>\n\n'));
    expect(qemu.received()).toMatch(
      /^<metrics>\n {2}<metric [^]*<\/metric>\n<!-- VM metrics not available -->\n<\/met/,
    );
    expect(qemu.received()).not.toContain('uuid');
  });

  it('values of an earlier run of a domain are not given to the next one', async () => {
    const qemu = await run.qemu('one');
    qemu.send(REQUEST);
    run.publish(
      snapshotOf([{ ...domain(5, qemu.path), uuid: domain(4).uuid }], {
        domainMetrics: [ofDomain(4, sample('A', '4'))],
      }),
    );
    await soon(() => expect(qemu.received()).toContain('<!-- VM metrics not available -->'));
  });

  it('metrics that are older than the expiration time are not given out', async () => {
    const qemu = await run.qemu('one');
    run.publish(snapshotOf([domain(1, qemu.path)], { at: Date.now() - 15_100 }));
    qemu.send(REQUEST);
    await soon(() => expect(qemu.received()).toContain('<!-- host metrics not available -->\n<!-- VM metrics not'));
  });

  it('says how many channels are connected after each snapshot, also when there are no domains', async () => {
    run.publish(snapshotOf(undefined));
    run.publish(snapshotOf([]));
    const qemu = await run.qemu('one');
    const domains = [domain(1, qemu.path), domain(2, run.socket('none')), domain(3)];
    run.publish(snapshotOf(domains));
    await soon(() => expect(qemu.connected()).toBe(true));
    await sleep(20);
    run.publish(snapshotOf(domains));
    expect(run.said('written')).toEqual([
      '0 channels connected, 0 not',
      '0 channels connected, 0 not',
      '0 channels connected, 2 not',
      '1 channel connected, 1 not',
    ]);
    expect(run.said('opened')).toHaveLength(1);
  });

  it('while libvirt was never reached, or is away, nothing changes', async () => {
    const qemu = await run.qemu('one');
    run.publish(snapshotOf([domain(1, qemu.path)]));
    await soon(() => expect(qemu.connected()).toBe(true));
    run.publish(snapshotOf(undefined));
    await sleep(30);
    expect(qemu.connected()).toBe(true);
  });

  it('closes the channel of a domain that stops, and only that', async () => {
    const [one, two] = [await run.qemu('one'), await run.qemu('two')];
    const [first, second] = [domain(1, one.path), domain(2, two.path)];
    run.publish(snapshotOf([first, second]));
    await soon(() => expect([one.connected(), two.connected()]).toEqual([true, true]));
    run.publish(snapshotOf([second], { cause: 'change' }));
    await soon(() => expect(one.connected()).toBe(false));
    expect(two.connected()).toBe(true);
    await sleep(100);
    expect([one.connections(), two.connections()]).toEqual([1, 1]);
    expect(run.said('warning')).toEqual([]);
  });

  it('closes a channel that is unplugged, and connects one that is plugged in', async () => {
    const [one, two] = [await run.qemu('one'), await run.qemu('two')];
    run.publish(snapshotOf([domain(1, one.path), domain(2)]));
    await soon(() => expect(one.connected()).toBe(true));
    run.publish(snapshotOf([domain(1, null), domain(2, two.path)], { cause: 'change' }));
    await soon(() => expect([one.connected(), two.connected()]).toEqual([false, true]));
  });

  it('keeps a connection while the path in the XML is unknown', async () => {
    const qemu = await run.qemu('one');
    run.publish(snapshotOf([domain(1, qemu.path)]));
    await soon(() => expect(qemu.connected()).toBe(true));
    run.publish(snapshotOf([domain(1)], { cause: 'change' }));
    run.publish(snapshotOf([domain(1, qemu.path)], { cause: 'change' }));
    await sleep(30);
    expect([qemu.connected(), qemu.connections()]).toEqual([true, 1]);
  });

  it('a domain that is restarted, renamed or defined keeps or gets its own connection', async () => {
    const qemu = await run.qemu('one');
    run.publish(snapshotOf([domain(1, qemu.path)]));
    await soon(() => expect(qemu.connections()).toBe(1));
    run.publish(snapshotOf([{ ...domain(1, qemu.path), name: 'renamed', persistent: false }]));
    await sleep(30);
    expect(qemu.connections()).toBe(1);
    run.publish(snapshotOf([{ ...domain(2, qemu.path), uuid: domain(1).uuid }]));
    await soon(() => expect(qemu.connections()).toBe(2));
  });

  it('connects nothing of a domain that is only defined', async () => {
    const qemu = await run.qemu('one');
    const { uuid, name } = domain(1);
    run.publish(snapshotOf([{ uuid, name, persistent: true, channel: qemu.path }]));
    await sleep(50);
    expect(qemu.connections()).toBe(0);
    expect(run.said('warning')).toEqual([]);
  });

  it('two domains that name the same path are both refused, because one would get metrics of the other', async () => {
    const [qemu, other] = [await run.qemu('one'), await run.qemu('two')];
    const domains = [domain(1, qemu.path), domain(2, qemu.path), domain(3, other.path)];
    run.publish(snapshotOf(domains));
    run.publish(snapshotOf([...domains]));
    await soon(() => expect(other.connected()).toBe(true));
    expect(qemu.connections()).toBe(0);
    expect(run.said('warning')).toEqual(
      ['vm1', 'vm2'].map(
        (name) =>
          `The channel of domain "${name}", "${qemu.path}", is not connected: another domain names the same socket; give each channel a path of its own`,
      ),
    );
    run.publish(snapshotOf(domains.slice(1)));
    await soon(() => expect(qemu.connected()).toBe(true));
  });

  it('FAULTS 67: of more channels than are allowed the last ones wait, and take the places that get free', async () => {
    await run.close();
    run = stage({ maxChannels: 2 });
    const qemus = [await run.qemu('1'), await run.qemu('2'), await run.qemu('3'), await run.qemu('4')];
    const [one, two, three, four] = qemus.map(({ path }, index) => domain(index + 1, path));
    if (!one || !two || !three || !four) throw new Error('four domains');
    const connections = (): readonly number[] => qemus.map((qemu) => qemu.connections());
    run.publish(snapshotOf([one, two, three]));
    await soon(() => expect(connections()).toEqual([1, 1, 0, 0]));
    run.publish(snapshotOf([one, two, three, four]));
    await sleep(30);
    expect(run.said('warning')).toEqual([
      `The channel of domain "vm3", "${three.channel}", is not connected: <max_channels> allows 2 only; raise it`,
    ]);
    run.publish(snapshotOf([two, three, four]));
    await soon(() => expect(connections()).toEqual([1, 1, 1, 0]));
    expect(qemus[0]?.connected()).toBe(false);
    run.publish(snapshotOf([two, four]));
    await soon(() => expect(connections()).toEqual([1, 1, 1, 1]));
    expect(run.said('warning')[1]).toBe('No channel is excluded by <max_channels> any longer');
    expect(run.said('warning')).toHaveLength(2);
  });

  it('keeps no timer for channels that have nothing to do', async () => {
    const scheduler = new TestScheduler(() => undefined);
    await run.close();
    run = stage({ scheduler });
    const qemu = await run.qemu('one');
    run.publish(snapshotOf([domain(1, qemu.path)], { at: 0 }));
    qemu.send(REQUEST);
    await soon(() => expect(qemu.received()).toContain('</metrics>'));
    expect(scheduler.actions).toEqual([]);
  });

  it('FAULTS 69: a guest gets no byte of another one`s name, uuid or values, through starts, stops and renames', async () => {
    const [one, two] = [await run.qemu('one'), await run.qemu('two')];
    const secrets = (id: number): readonly string[] => [`secret${id}`, domain(id).uuid, `name-of-${id}`];
    const known = (id: number, channel: string, name = `name-of-${id}`) => ({ ...domain(id, channel), name });
    const values = (id: number) => ({
      ...ofDomain(id, sample('Secret', `secret${id}`)),
      domain: { ...ofDomain(id).domain, name: `name-of-${id}` },
    });
    const ask = async (): Promise<void> => {
      const before = [one, two].map((qemu) => qemu.received().length);
      for (const qemu of [one, two]) if (qemu.connected()) qemu.send(REQUEST);
      await soon(() =>
        [one, two].forEach((qemu, index) => {
          if (qemu.connected()) expect(qemu.received().length).toBeGreaterThan(before[index] ?? 0);
        }),
      );
    };
    const steps = [
      [known(1, one.path), known(2, two.path)],
      [known(2, two.path)],
      [known(1, one.path), known(2, two.path)],
      [known(1, one.path, 'other'), known(2, two.path, 'name-of-1')],
    ];
    for (const domains of steps) {
      run.publish(snapshotOf(domains, { domainMetrics: domains.map(({ id }) => values(id ?? 0)) }));
      await soon(() => expect([one, two].filter((qemu) => qemu.connected())).toHaveLength(domains.length));
      await ask();
    }
    expect(one.received()).toContain('secret1');
    expect(two.received()).toContain('secret2');
    for (const secret of secrets(2)) expect(one.received()).not.toContain(escapeXml(secret));
    for (const secret of secrets(1)) expect(two.received()).not.toContain(escapeXml(secret));
  });
});
