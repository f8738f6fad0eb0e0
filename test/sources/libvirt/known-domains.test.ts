import { lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { firstValueFrom, Subscription } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect$ } from '../../../src/sources/libvirt/connection.ts';
import type { Connection, LifecycleEvent } from '../../../src/sources/libvirt/types.ts';
import { until } from '../../support/daemon.ts';
import { domainXml, type PrivateLibvirtd, startLibvirtd } from '../../support/libvirtd.ts';

const CHANNEL = `<channel type='unix'><source mode='bind'/><target type='virtio' name='org.github.vhostmd.1'/></channel>`;

let libvirtd: PrivateLibvirtd;
let folder = '';
let connection: Connection;
const lifecycle: LifecycleEvent[] = [];
const devices: string[] = [];
const open = new Subscription();
beforeAll(async () => {
  libvirtd = await startLibvirtd();
  folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-known-'));
  connection = await new Promise((resolve, reject) => {
    open.add(connect$(libvirtd.uri).subscribe({ next: resolve, error: reject }));
  });
  open.add(connection.lifecycle$.subscribe((event) => lifecycle.push(event)));
  open.add(connection.devices$.subscribe((uuid) => devices.push(uuid)));
});
afterAll(async () => {
  open.unsubscribe();
  await libvirtd.close();
  rmSync(folder, { recursive: true, force: true });
});

const file = (text: string): string => {
  const name = path.join(folder, `${Math.random()}.xml`);
  writeFileSync(name, text);
  return name;
};
const kindsOf = (of: string): readonly string[] =>
  lifecycle.filter((event) => ('domain' in event ? event.domain.uuid : event.uuid) === of).map(({ kind }) => kind);

describe('A connection to libvirt with real domains', () => {
  it('reports that a domain is defined, starts, stops and is undefined, and lists the defined ones', async () => {
    const uuid = '0d7a7a0e-7f3f-4a60-9a43-1f5b1b0a1c01';
    const transient = await libvirtd.create('transient');
    await libvirtd.virsh('define', file(domainXml('it', '', uuid)));
    await libvirtd.virsh('start', '--paused', 'it');
    const defined = await firstValueFrom(connection.defined$());
    expect(defined).toEqual([{ uuid, name: 'it' }]);
    const running = await firstValueFrom(connection.domains$());
    expect(running.map((domain) => domain.uuid).sort()).toEqual([transient, uuid].sort());
    await libvirtd.destroy('it');
    expect(await firstValueFrom(connection.defined$())).toEqual(defined);
    await libvirtd.virsh('undefine', 'it');
    await until('all is told', () => kindsOf(uuid).includes('undefined'));
    expect(kindsOf(uuid).filter((kind) => kind !== 'paused')).toEqual(['defined', 'running', 'gone', 'undefined']);
    expect(await firstValueFrom(connection.defined$())).toEqual([]);
    await libvirtd.destroy('transient');
  });

  it('finds the socket of a channel in the live XML, and reports when one is attached or detached', async () => {
    const machine = domainXml('c', `<controller type='virtio-serial'/>${CHANNEL}`).replace('microvm', 'pc');
    await libvirtd.virsh('create', '--paused', file(machine));
    const uuid = await libvirtd.virsh('domuuid', 'c');
    // The connection has the handle of a domain only after a list or a start event.
    await firstValueFrom(connection.domains$());
    const socket = await firstValueFrom(connection.channel$(uuid));
    expect(lstatSync(socket ?? '').isSocket()).toBe(true);
    expect(socket).toMatch(/org\.github\.vhostmd\.1$/);
    const device = file(CHANNEL.replace("mode='bind'", `mode='bind' path='${socket}'`));
    await libvirtd.virsh('detach-device', 'c', device, '--live');
    await until('the channel has gone', () => devices.includes(uuid));
    expect(await firstValueFrom(connection.channel$(uuid))).toBeUndefined();
    const told = devices.length;
    await libvirtd.virsh('attach-device', 'c', device, '--live');
    await until('the channel is told', () => devices.length > told);
    expect(await firstValueFrom(connection.channel$(uuid))).toBe(socket);
    await libvirtd.destroy('c');
    await expect(firstValueFrom(connection.channel$(uuid))).rejects.toThrow(/gone|not found|no domain/i);
  });
});
