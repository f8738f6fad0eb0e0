import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import type { DomainMetrics, Sample } from '../../src/model/metric.ts';
import { document, metricsXml } from '../../src/model/metrics-xml.ts';
import { HEADER_SIZE } from '../../src/sinks/metrics-disk/format.ts';
import { ofDomain, sample, snapshot } from '../../src/testing/snapshots.ts';
import { channelStage } from './channel-stage.ts';
import { diskStage, overwrite, publish } from './disk-stage.ts';
import { type Ended, SHELLS } from './tool.ts';

const { folder, disk, run } = diskStage();
const openChannel = channelStage(() => folder);

const host = (name: string): readonly Sample[] => [sample('HostName', name)];
/** A VM at some second of its clock, which the host has paused for some of the seconds. */
const vm = (clock: number, paused: number, id = 1): DomainMetrics =>
  ofDomain(
    id,
    { name: 'contention.time', type: 'uint64', value: `${clock}000000000` },
    { name: 'activity.paused.time', type: 'uint64', value: `${paused}000000000` },
  );
const uuidOf = (id: number): string => ofDomain(id).domain.uuid;
const shareOf = ({ stdout }: Ended): unknown =>
  (JSON.parse(stdout) as { readonly measured: Readonly<Record<string, unknown>> }).measured['paused'];
// The header's third word, which is not zero while the daemon writes.
const busy = (flag: number): Buffer => Buffer.from([0, 0, 0, flag]);

describe.each(SHELLS)('vm-dump-metrics --why in $name', ({ shell }) => {
  const start = (...args: readonly string[]): Promise<Ended> => run(shell, ['--device', disk(), '--why', ...args]);

  describe('on a disk of several VMs', () => {
    it('judges the one of --uuid, in either case of its letters', async () => {
      for (const [id, share] of [
        [1, 20],
        [2, 60],
      ] as const) {
        publish(disk(), host('a'), [vm(1, 0, 1), vm(1, 0, 2)]);
        const ended = start('--json', `--uuid=${uuidOf(id).toUpperCase()}`);
        await sleep(700);
        publish(disk(), host('a'), [vm(6, 1, 1), vm(6, 3, 2)]);
        expect(shareOf(await ended)).toBe(share);
      }
    });

    it('says nothing about a neighbour that is the only one on the disk', async () => {
      publish(disk(), host('a'), [vm(1, 0, 2)]);
      const ended = start('--uuid', uuidOf(1));
      await sleep(700);
      publish(disk(), host('a'), [vm(6, 4, 2)]);
      const { code, stdout, stderr } = await ended;
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain(`none of the metrics say why this virtual machine, ${uuidOf(1)}, is slow`);
      expect(stderr).not.toContain(uuidOf(2));
    });

    it('refuses what is no UUID', async () => {
      for (const uuid of ['', 'x', `${uuidOf(1)}0`, uuidOf(1).replace('6', 'g'), '$(reboot)'])
        expect(await start('--uuid', uuid)).toMatchObject({ code: 2, stdout: '' });
    });
  });

  it('compares no readings of two hosts, though the clock of the second is later', async () => {
    publish(disk(), host('a'), [vm(1, 0)]);
    const ended = start('--json');
    await sleep(700);
    publish(disk(), host('b'), [vm(11, 9)]);
    await sleep(2500);
    publish(disk(), host('b'), [vm(16, 10)]);
    expect(shareOf(await ended)).toBe(20);
  });

  it('waits for a disk that is busy between the readings', async () => {
    publish(disk(), host('a'), [vm(1, 0)]);
    const ended = start('--json');
    await sleep(700);
    overwrite(disk(), busy(1), 4);
    await sleep(1500);
    publish(disk(), host('a'), [vm(6, 1)]);
    expect(shareOf(await ended)).toBe(20);
  });

  it('takes no reading from a disk that is torn', async () => {
    publish(disk(), host('a'), [vm(1, 0)]);
    const ended = start('--json');
    await sleep(700);
    overwrite(disk(), Buffer.from('<torn/>'), HEADER_SIZE);
    const { code, stdout, stderr } = await ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('the checksum of its content is not that of its header');
  });

  it('asks twice through a channel', async () => {
    const { device, asked } = await openChannel(
      (_request, count) => `${document(metricsXml(snapshot(1, host('a'), [count === 1 ? vm(1, 0) : vm(6, 1)])))}\n`,
    );
    expect(shareOf(await run(shell, ['-i', '--device', device, '--why', '--json']))).toBe(20);
    expect(asked()).toBe('GET /metrics/XML\n\n'.repeat(2));
  });

  it('takes the first of two values with the name of its clock, and needs one that is a number', async () => {
    const clocks = (...values: readonly string[]): DomainMetrics =>
      ofDomain(1, ...values.map((value): Sample => ({ name: 'contention.time', type: 'string', value })));
    publish(disk(), host('a'), [clocks('1e999', '1000000000', '7')]);
    const ended = start('--json');
    await sleep(700);
    publish(disk(), host('a'), [clocks('-5', '6000000000', '7')]);
    expect(JSON.parse((await ended).stdout)).toMatchObject({ seconds: 5 });
    publish(disk(), host('a'), [clocks('1e999')]);
    expect(await start()).toMatchObject({ code: 4, stdout: '' });
  });
});
