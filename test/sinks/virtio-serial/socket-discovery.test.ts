import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { directoriesOf } from '../../../src/sinks/virtio-serial/socket-discovery.ts';
import { domain, REQUEST, snapshotOf, stage } from './qemu.ts';
import type { SerialStage } from './qemu.ts';
import { PATIENCE } from '../../support/patience.ts';

const SOCKET = 'org.github.vhostmd.1';
let run: SerialStage;
beforeEach(() => {
  run = stage();
});
afterEach(() => run.close());

const soon = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 5000 * PATIENCE, interval: 5 });
const make = (directory: string): string => {
  mkdirSync(run.socket(path.join('channels', directory)), { recursive: true });
  return path.join('channels', directory, SOCKET);
};

describe('channels whose path no XML names', () => {
  it('have directories by id and name, which is cut at 20 characters', () => {
    const of = (name: string): readonly string[] => directoriesOf({ ...domain(7), name });
    expect(of('vm')).toEqual(['domain-7-vm', '7-vm']);
    expect(of('x'.repeat(30))).toEqual([`domain-7-${'x'.repeat(20)}`, `7-${'x'.repeat(20)}`]);
    expect(of('\u{1f600}'.repeat(30))[1]).toBe(`7-${'\u{1f600}'.repeat(20)}`);
    for (const name of ['', '..', '../../x', 'a/b', 'a\0b']) expect(of(name)).toEqual([]);
    const { uuid, name } = domain(1);
    expect(directoriesOf({ uuid, name, persistent: true })).toEqual([]);
  });

  it.each(['domain-1-vm1', '1-vm1'])('are found in %s, and with the next tick if they come late', async (directory) => {
    const domains = [domain(1, null), domain(2)];
    run.publish(snapshotOf(domains));
    await sleep(30);
    const qemu = await run.qemu(make(directory));
    qemu.send(REQUEST);
    run.publish(snapshotOf(domains, { cause: 'change' }));
    await sleep(30);
    expect(qemu.connected()).toBe(false);
    run.publish(snapshotOf(domains));
    await soon(() => expect(qemu.received()).toContain(domain(1).uuid));
    run.publish(snapshotOf([...domains], { cause: 'change' }));
    run.publish(snapshotOf(domains));
    await sleep(30);
    expect(qemu.connections()).toBe(1);
    expect(run.said('warning')).toEqual([]);
  });

  it('are looked for at once when the domain appears', async () => {
    const qemu = await run.qemu(make('1-vm1'));
    run.publish(snapshotOf([]));
    run.publish(snapshotOf([domain(1, null)], { cause: 'change' }));
    await soon(() => expect(qemu.connected()).toBe(true));
  });

  it('are not looked for where the XML names a path', async () => {
    const [found, named] = [await run.qemu(make('1-vm1')), await run.qemu('named')];
    run.publish(snapshotOf([domain(1, named.path)]));
    await soon(() => expect(named.connected()).toBe(true));
    await sleep(30);
    expect(found.connections()).toBe(0);
  });

  it('are no trouble where there are none, or only those of other kinds', async () => {
    make('domain-1-vm1');
    run.publish(snapshotOf([domain(1, null), domain(2, null)]));
    await sleep(50);
    expect(run.said('warning')).toEqual([]);
    run.publish(snapshotOf([]));
    expect(run.said('written').at(-1)).toBe('0 channels connected, 0 not');
  });

  it('belong to no other domain: another id, or a part of the name, finds nothing', async () => {
    const qemus = [await run.qemu(make('1-vm10')), await run.qemu(make('11-vm1')), await run.qemu(make('domain-1-vm'))];
    run.publish(snapshotOf([domain(1, null)]));
    await sleep(50);
    expect(qemus.map((qemu) => qemu.connections())).toEqual([0, 0, 0]);
  });

  it('a <channel_path> that cannot be read is reported once', async () => {
    writeFileSync(run.socket('channels'), '');
    const domains = [domain(1, null)];
    for (const tick of [1, 2, 3]) {
      run.publish(snapshotOf(domains, { tick }));
      await sleep(20);
    }
    expect(run.said('warning')).toHaveLength(1);
    expect(run.said('warning')[0]).toContain('The <channel_path> cannot be read');
    expect(run.said('warning')[0]).toContain('ENOTDIR');
  });
});
