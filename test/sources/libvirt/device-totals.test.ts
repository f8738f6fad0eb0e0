import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { deviceTotals } from '../../../src/sources/libvirt/device-totals.ts';
import type { StatValue } from '../../../src/sources/libvirt/typed-params.ts';

const MS = 1_000_000n;
type Disk = readonly [name: string, reads: bigint, readMs: bigint, writes?: bigint, writeMs?: bigint];
const disks = (...all: readonly Disk[]): ReadonlyMap<string, StatValue> =>
  new Map<string, StatValue>([
    ['block.count', all.length],
    ...all.flatMap(([name, reads, readMs, writes = 0n, writeMs = 0n], at): readonly [string, StatValue][] => [
      [`block.${at}.name`, name],
      [`block.${at}.rd.reqs`, reads],
      [`block.${at}.rd.times`, readMs * MS],
      [`block.${at}.wr.reqs`, writes],
      [`block.${at}.wr.times`, writeMs * MS],
      [`block.${at}.fl.reqs`, 1n],
      [`block.${at}.fl.times`, 3n * MS],
    ]),
  ]);
const nics = (...all: readonly (readonly [string, number, number])[]): ReadonlyMap<string, StatValue> =>
  new Map<string, StatValue>([
    ['net.count', all.length],
    ...all.flatMap(([name, packets, drops], at): readonly [string, StatValue][] => [
      [`net.${at}.name`, name],
      [`net.${at}.rx.pkts`, packets],
      [`net.${at}.rx.drop`, drops],
      [`net.${at}.tx.pkts`, 0],
    ]),
  ]);
const made = (fields: ReadonlyMap<string, StatValue>) =>
  Object.fromEntries(
    [...fields]
      .filter(([name]) => name.startsWith('contention.'))
      .map(([name, value]) => [name.replace('contention.', ''), value]),
  );

describe('Statistics over all devices of a domain', () => {
  it('add up the disks, and have the mean time of a request since the answer before', () => {
    const [totals, run] = [deviceTotals(new VirtualTimeScheduler()), {}];
    expect(made(totals(run, disks(['vda', 10n, 100n], ['vdb', 5n, 5n, 2n, 40n])))).toEqual({
      'block.time': 151e6,
      'block.requests': 19,
      'block.limit': 0,
      'block.rd.latency': 0,
      'block.wr.latency': 0,
      'block.fl.latency': 0,
    });
    // 4 reads in 30 ms, 1 write in 7 ms, no flush.
    expect(made(totals(run, disks(['vda', 12n, 120n], ['vdb', 7n, 15n, 3n, 47n])))).toEqual({
      'block.time': 188e6,
      'block.requests': 24,
      'block.limit': 0,
      'block.rd.latency': 7.5e6,
      'block.wr.latency': 7e6,
      'block.fl.latency': 0,
    });
  });

  it('add up the interfaces', () => {
    const [totals, run] = [deviceTotals(new VirtualTimeScheduler()), {}];
    expect(made(totals(run, nics(['vnet0', 10, 1], ['vnet1', 20, 0])))).toEqual({ 'net.packets': 31, 'net.drops': 1 });
    expect(made(totals(run, nics()))).toEqual({ 'net.packets': 31, 'net.drops': 1 });
  });

  it('never fall: a disk is detached, moves up, is attached again, and counts from 0', () => {
    const [totals, run] = [deviceTotals(new VirtualTimeScheduler()), {}];
    const requests = (...all: readonly Disk[]) => made(totals(run, disks(...all)))['block.requests'];
    expect(requests(['vda', 100n, 1n], ['vdb', 50n, 1n])).toBe(152);
    expect(requests(['vdb', 51n, 1n])).toBe(153);
    expect(requests(['vdb', 51n, 1n], ['vda', 7n, 1n])).toBe(161);
    expect(requests(['vdb', 2n, 1n], ['vda', 7n, 1n])).toBe(163);
  });

  it('are each of one run of a domain', () => {
    const totals = deviceTotals(new VirtualTimeScheduler());
    totals({}, disks(['vda', 100n, 1n]));
    expect(made(totals({}, disks(['vda', 3n, 1n])))).toMatchObject({ 'block.time': 4e6, 'block.requests': 4 });
  });

  it('are absent if the answer has no such devices', () => {
    const fields = new Map([['state.state', 1]]);
    expect(deviceTotals(new VirtualTimeScheduler())({}, fields)).toBe(fields);
    expect(made(deviceTotals(new VirtualTimeScheduler())({}, disks()))).toMatchObject({
      'block.time': 0,
      'block.requests': 0,
    });
  });
});
