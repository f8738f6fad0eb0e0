import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

import { describe, expect, it } from 'vitest';

import { action, counting, libvirtStage, stat } from '../integration/libvirt-stage.ts';
import { until, valueOf } from '../support/daemon.ts';
import { retainedOn, startBroker, subscriber } from './broker.ts';
import { exampleFile, sinkElement } from './example.ts';
import { influxServer, influxSocket } from './influx-server.ts';
import { PATIENCE } from '../support/patience.ts';

const run = promisify(execFile);
const stage = libvirtStage();

describe('in the real daemon, by its <sink module="..">,', () => {
  it.each(['HTTP', 'UDP'])(
    'the example influx.js sends hosts and VMs over %s, whatever they are called',
    async (over) => {
      const { libvirtd, run: start } = stage();
      const server = over === 'UDP' ? await influxSocket() : await influxServer();
      try {
        const name = 'a, b=c ü';
        const uuid = await libvirtd.create(name, { paused: false });
        const metrics = stat('vm', 'vcpu.current') + action('host', 'Text', 'echo \'x "y" \\z\'');
        const options = { url: server.url, host: 'h' };
        const { daemon, disk } = await start(metrics, { globals: sinkElement(exampleFile('influx.js'), options) });
        await daemon.printed(/info +influx: Sending to /);
        await until('a point of the VM', () =>
          server.points().some(({ tags, fields }) => tags['uuid'] === uuid && fields['vcpu.current'] === 1n),
        );
        expect(server.points().find(({ tags }) => tags['uuid'] === uuid)?.tags).toEqual({ host: 'h', name, uuid });
        await until('a point of the host', () => server.points().some(({ fields }) => fields['Text'] === 'x "y" \\z'));
        const age = Date.now() - Number((server.points().at(-1)?.time ?? 0n) / 1_000_000n);
        expect(Math.abs(age)).toBeLessThan(5000 * PATIENCE);
        expect(await valueOf(disk, 'vcpu.current', uuid)).toBe('1');
        expect((await daemon.stop()).code).toBe(0);
      } finally {
        await server.close();
      }
    },
  );

  it('the example mqtt.js publishes a VM and its end, over the death of the broker, and its own end', async () => {
    const { libvirtd, folder, run: start } = stage();
    const broker = await startBroker();
    const heard = await subscriber(broker.url);
    try {
      const uuid = await libvirtd.create('guest', { paused: false });
      const other = await libvirtd.create('other', { paused: false });
      const metrics = stat('vm', 'vcpu.current') + action('host', 'Count', counting(path.join(folder, 'mqtt')));
      const options = { url: broker.url, host: 'h' };
      const { daemon } = await start(metrics, { globals: sinkElement(exampleFile('mqtt.js'), options) });
      const topic = (of: string): string => `vhostmd/h/vm/${of}/vcpu.current`;
      await until('values', () => heard.values.get(topic(uuid)) === '1' && heard.values.get(topic(other)) === '1');
      await libvirtd.destroy(uuid);
      await until('the end of the VM', () => !heard.values.has(topic(uuid)));
      expect(heard.values.get('vhostmd/h/status')).toBe('online');

      await broker.kill();
      await daemon.printed(/err +mqtt: .*: the connection is closed/);
      await libvirtd.destroy(other);
      await broker.start();
      const count = Number(heard.values.get('vhostmd/h/host/Count'));
      await until('values again', () => Number(heard.values.get('vhostmd/h/host/Count')) > count + 1, 20_000);
      await until('the subscriber', () => heard.values.get('vhostmd/h/status') === 'online');
      expect(Object.keys(await retainedOn(broker.url, 'vhostmd/#'))).toEqual(
        expect.arrayContaining(['vhostmd/h/host/Count', 'vhostmd/h/status']),
      );
      expect(await retainedOn(broker.url, 'vhostmd/h/vm/#')).toEqual({});

      expect((await daemon.stop()).code).toBe(0);
      await until('offline', () => heard.values.get('vhostmd/h/status') === 'offline');
    } finally {
      await heard.close();
      await broker.close();
    }
  });

  it('the example history.js has the values of a guest, also after it has gone', async () => {
    const { libvirtd, folder, run: start } = stage();
    const name = 'web 1';
    const uuid = await libvirtd.create(name, { paused: false });
    const metrics =
      stat('vm', 'vcpu.current', 'uint32') + action('host', 'Count', counting(path.join(folder, 'history')));
    const file = path.join(folder, 'history.sqlite');
    const globals = sinkElement(exampleFile('history.js'), { file, keep: '1h' });
    const { daemon, disk } = await start(metrics, { globals });
    const query = async (...args: readonly string[]): Promise<string> =>
      await run(process.execPath, [exampleFile('history-query.js'), file, ...args]).then(
        ({ stdout }) => stdout,
        (error: { readonly stderr: string }) => error.stderr,
      );
    await until('a few ticks', async () => Number(await valueOf(disk, 'Count')) >= 3);
    const count = await valueOf(disk, 'Count');
    const time = new Date().toISOString();
    await until('the next tick', async () => (await valueOf(disk, 'Count')) !== count);
    await libvirtd.destroy(uuid);
    await until('the VM has gone from the disk', async () => (await valueOf(disk, 'vcpu.current', uuid)) === undefined);
    for (const domain of [name, uuid]) {
      const text = await query(domain, time);
      expect(text).toContain(`${name} (${uuid}) at `);
      expect(text).toMatch(/^vm {3}vcpu\.current = 1 {2}\(since /m);
      expect(text).toMatch(new RegExp(`^host Count = ${count}  `, 'm'));
    }
    await until('it has gone from the history', async () =>
      (await query(name, new Date().toISOString())).startsWith(`Nothing is known of ${name} at `),
    );
    expect((await daemon.stop()).code).toBe(0);
    expect(await query(name, time)).toContain(`host Count = ${count}`);
  });
});
