import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import { asyncScheduler, Subject } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';

import type { KnownDomain, Snapshot } from '../../src/model/metric.ts';
import { virtioSerial, type VirtioSerialOptions } from '../../src/sinks/virtio-serial/sink.ts';
import type { SinkReport } from '../../src/sinks/sink.ts';
import { sample } from '../../src/testing/snapshots.ts';
import { libvirtStage } from './libvirt-stage.ts';
import { PATIENCE } from '../support/patience.ts';

const CHANNEL = `<controller type='virtio-serial' index='0'><address type='virtio-mmio'/></controller>
  <channel type='unix'><source mode='bind'/><target type='virtio' name='org.github.vhostmd.1'/></channel>`;

const stage = libvirtStage();
const left: (() => void)[] = [];
afterEach(() => {
  for (const undo of left.splice(0)) undo();
});

/** Returns libvirt's facts of a running domain with a channel. */
const known = async (uuid: string): Promise<KnownDomain & { readonly channel: string }> => {
  const { virsh } = stage().libvirtd;
  const xml = await virsh('dumpxml', uuid);
  const channel = /<source mode='bind' path='([^']+org\.github\.vhostmd\.1)'\/>/.exec(xml)?.[1];
  if (channel === undefined) throw new Error(`no channel in ${xml}`);
  const [id, name] = [Number(await virsh('domid', uuid)), await virsh('domname', uuid)];
  return { uuid, id, name, persistent: false, channel };
};
const startSink = (options: Partial<VirtioSerialOptions> = {}) => {
  const snapshots = new Subject<Snapshot>();
  const reports: SinkReport[] = [];
  const sink = virtioSerial({
    maxChannels: 8,
    expirationTime: 15_000,
    scheduler: asyncScheduler,
    ...options,
  });
  const subscription = sink.run(snapshots).subscribe((report) => reports.push(report));
  left.push(() => subscription.unsubscribe());
  return {
    publish: (domains: readonly KnownDomain[]): void =>
      snapshots.next({
        cause: 'tick',
        tick: 0,
        at: asyncScheduler.now(),
        host: [sample('A', '1')],
        domainMetrics: [],
        missing: [],
        domains,
      }),
    said: (kind: SinkReport['kind']): readonly string[] =>
      reports.filter((report) => report.kind === kind).map(({ message }) => message),
    stop: (): void => subscription.unsubscribe(),
  };
};
/** Returns the number of connected ends of the socket at that path. */
const connections = (socket: string): number =>
  execFileSync('cat', ['/proc/net/unix'], { encoding: 'utf8' })
    .split('\n')
    // Flags 0 and state 3 mean a connected end; a listening socket has flags.
    .filter((line) => line.endsWith(` ${socket}`) && / 00000000 0001 03 /.test(line)).length;

describe('the virtio-serial sink and QEMU', () => {
  it('connects to the channels of running domains, and leaves those that stop', async () => {
    const { libvirtd } = stage();
    const [one, two] = await Promise.all(
      ['one', 'two of 2'].map(async (name) => await known(await libvirtd.create(name, { devices: CHANNEL }))),
    );
    if (one === undefined || two === undefined) throw new Error('two domains');
    // The sink warns of a closed channel only after ten first waits; the test removes the domain before.
    const sink = startSink({ backoff: { first: 1000 * PATIENCE, most: 10_000 * PATIENCE } });
    expect([connections(one.channel), connections(two.channel)]).toEqual([0, 0]);
    sink.publish([one, two]);
    await vi.waitFor(
      () => expect([connections(one.channel), connections(two.channel)]).toEqual([1, 1]),
      5000 * PATIENCE,
    );
    // The kernel lists a connection before both ends have noticed it.
    await vi.waitFor(() => {
      sink.publish([one, two]);
      expect(sink.said('written').at(-1)).toBe('2 channels connected, 0 not');
    }, 5000 * PATIENCE);
    await libvirtd.destroy(one.uuid);
    sink.publish([two]);
    sink.publish([two]);
    expect(sink.said('written').at(-1)).toBe('1 channel connected, 0 not');
    await sleep(1500);
    expect(connections(two.channel)).toBe(1);
    expect(sink.said('warning')).toEqual([]);
    sink.stop();
    await vi.waitFor(() => expect(connections(two.channel)).toBe(0), 5000 * PATIENCE);
  });

  it('finds a channel by the directories that libvirt makes, and waits while another one is connected', async () => {
    const { libvirtd } = stage();
    const name = 'a name';
    const domain = await known(await libvirtd.create(name, { devices: CHANNEL }));
    const directory = domain.channel.split('/').slice(0, -2).join('/');
    const { channel: _known, ...unknown } = domain;
    const other = startSink();
    other.publish([domain]);
    await vi.waitFor(() => expect(connections(domain.channel)).toBe(1), 5000 * PATIENCE);
    const sink = startSink({ channelPath: directory });
    sink.publish([{ ...unknown, channel: null }]);
    await sleep(300);
    other.stop();
    await vi.waitFor(() => {
      sink.publish([{ ...unknown, channel: null }]);
      expect(sink.said('written').at(-1)).toBe('1 channel connected, 0 not');
      expect(connections(domain.channel)).toBe(1);
    }, 15_000);
  });
});
