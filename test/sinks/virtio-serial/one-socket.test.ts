import { linkSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { identityOf } from '../../../src/sinks/virtio-serial/socket-identity.ts';
import { ofDomain, sample } from '../../../src/testing/snapshots.ts';
import { domain, REQUEST, snapshotOf, stage, startQemu, type Qemu, type SerialStage } from './qemu.ts';
import { PATIENCE } from '../../support/patience.ts';

let folder = '';
let run: SerialStage;
const open: Qemu[] = [];
beforeEach(() => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'vhostmd-one-socket-')));
  mkdirSync(path.join(folder, 's'));
  run = stage();
});
afterEach(async () => {
  await run.close();
  for (const qemu of open.splice(0)) await qemu.close();
  rmSync(folder, { recursive: true, force: true });
});

const soon = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000 * PATIENCE, interval: 5 });
const listen = async (name: string): Promise<Qemu> => {
  const qemu = await startQemu(path.join(folder, name));
  open.push(qemu);
  return qemu;
};
const values = { domainMetrics: [ofDomain(1, sample('A', 'of 1')), ofDomain(2, sample('A', 'of 2'))] };

const WAYS: readonly (readonly [string, () => string])[] = [
  ['a step down and up again', () => `${folder}/s/../s/b.sock`],
  ['two slashes and a dot', () => `${folder}//s/./b.sock`],
  [
    'a link to its folder',
    () => {
      symlinkSync('s', path.join(folder, 'link'));
      return `${folder}/link/b.sock`;
    },
  ],
  [
    'a hard link',
    () => {
      linkSync(`${folder}/s/b.sock`, `${folder}/s/c.sock`);
      return `${folder}/s/c.sock`;
    },
  ],
];

describe('Two domains that name one socket', () => {
  it.each(WAYS)('CASE F6: get nothing, when one names it by %s', async (_way, other) => {
    const qemu = await listen('s/b.sock');
    const alone = await listen('s/alone.sock');
    const domains = [domain(1, `${folder}/s/b.sock`), domain(2, other()), domain(3, alone.path)];
    qemu.send(REQUEST);
    alone.send(REQUEST);
    run.publish(snapshotOf(domains, values));
    await soon(() => expect(alone.received()).toContain('</metrics>\n\n'));
    run.publish(snapshotOf(domains, { ...values, tick: 1 }));
    await soon(() =>
      expect(run.said('warning').filter((message) => message.includes('the same socket'))).toHaveLength(2),
    );
    expect(qemu.received()).toBe('');
    expect(qemu.connections()).toBe(0);
  });

  it('CASE F6: get nothing more, when the socket of one is replaced by that of the other later', async () => {
    const [one, two] = [await listen('s/one.sock'), await listen('s/two.sock')];
    const domains = [domain(1, one.path), domain(2, two.path)];
    run.publish(snapshotOf(domains, values));
    await soon(() => expect([one.connected(), two.connected()]).toEqual([true, true]));
    linkSync(two.path, `${folder}/s/new`);
    renameSync(`${folder}/s/new`, one.path);
    run.publish(snapshotOf(domains, { ...values, tick: 1 }));
    await soon(() => expect([one.connected(), two.connected()]).toEqual([false, false]));
    expect(run.said('warning').filter((message) => message.includes('the same socket'))).toHaveLength(2);
  });

  it('CASE F6: are noticed before there is a socket or a folder', () => {
    const paths = ['/x/b.sock', '/x/../x/b.sock', '//x/./b.sock', '/x/y/../b.sock', '/../x/b.sock', '/x//b.sock'];
    expect(new Set(paths.map((name) => identityOf(folder + name))).size).toBe(2);
    expect(identityOf(`${folder}/x/b.sock`)).toBe(identityOf(`${folder}/x/y/../b.sock`));
    symlinkSync('s', path.join(folder, 'link'));
    expect(identityOf(`${folder}/link/b.sock`)).toBe(identityOf(`${folder}/s/b.sock`));
    expect(identityOf(`${folder}/s/b.sock`)).not.toBe(identityOf(`${folder}/s/c.sock`));
    expect(identityOf(`${folder}/x/y/b.sock`)).not.toBe(identityOf(`${folder}/xy/b.sock`));
    symlinkSync('/', path.join(folder, 'root'));
    expect(identityOf(`${folder}/root/none/b.sock`)).toBe(identityOf('/none/b.sock'));
  });

  it('CASE F6: are not one of them a link to the other, which is not followed', async () => {
    const { path: socket } = await listen('s/b.sock');
    symlinkSync(socket, `${folder}/s/link.sock`);
    expect(identityOf(`${folder}/s/link.sock`)).not.toBe(identityOf(socket));
  });
});
