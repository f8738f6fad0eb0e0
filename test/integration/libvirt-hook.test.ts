import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { asyncScheduler, Subject } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { KnownDomain, Snapshot } from '../../src/model/metric.ts';
import { CHUNK } from '../../src/sinks/metrics-disk/format.ts';
import { privateDisks } from '../../src/sinks/metrics-disk/private-disks-sink.ts';
import { lookAtDisk } from '../../src/client/read-disk.ts';
import { until } from '../support/daemon.ts';
import { domainXml } from '../support/libvirtd.ts';
import { processesWith } from '../support/processes.ts';

const run = promisify(execFile);
const HOOK = fileURLToPath(new URL('../../conf/libvirt-hook', import.meta.url));
const NOBODY = 65_534;

let directory = '';
let disks = '';
const started: ChildProcess[] = [];

const virsh = async (...args: readonly string[]): Promise<string> => {
  const uri = `qemu+unix:///session?socket=${path.join(directory, 'run/libvirt/libvirt-sock')}`;
  return (await run('virsh', ['-q', '-c', uri, ...args], { encoding: 'utf8', maxBuffer: 1 << 26 })).stdout;
};

/**
 * Starts a libvirtd for which /etc/libvirt is a folder of this test, because libvirt has no other place for hooks. It
 * does not run as root, because there is only one system instance.
 */
const startLibvirtd = async (): Promise<void> => {
  directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-hooked-'));
  disks = path.join(directory, 'disks');
  const [etc, cache] = [path.join(directory, 'etc'), path.join(tmpdir(), `vhostmd-libvirt-cache-${NOBODY}`)];
  chmodSync(directory, 0o755);
  for (const part of ['run', 'config', 'data', 'disks'].map((name) => path.join(directory, name))) {
    mkdirSync(part);
    chownSync(part, NOBODY, NOBODY);
  }
  mkdirSync(cache, { recursive: true });
  chownSync(cache, NOBODY, NOBODY);
  mkdirSync(path.join(etc, 'hooks', 'qemu.d'), { recursive: true });
  const hook = path.join(etc, 'hooks', 'qemu.d', 'vhostmd');
  copyFileSync(HOOK, hook);
  // libvirt passes no environment to hooks.
  writeFileSync(hook, readFileSync(hook, 'utf8').replace('/run/vhostmd/UUID.disk}', `${disks}/UUID.disk}`));
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    XDG_RUNTIME_DIR: path.join(directory, 'run'),
    XDG_CONFIG_HOME: path.join(directory, 'config'),
    XDG_DATA_HOME: path.join(directory, 'data'),
    XDG_CACHE_HOME: cache,
  };
  const asNobody = `setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups`;
  started.push(
    spawn('sh', ['-c', `exec ${asNobody} virtlogd`], { env, stdio: 'ignore' }),
    spawn('unshare', ['--mount', 'sh', '-c', `mount --bind "$0" /etc/libvirt && exec ${asNobody} libvirtd`, etc], {
      env,
      stdio: 'ignore',
    }),
  );
  await until('libvirtd answers', async () => (await virsh('uri').catch(() => '')) !== '', 20_000);
};

beforeAll(startLibvirtd);

afterAll(async () => {
  for (const pid of [...processesWith('environ', `HOME=${directory}\0`), ...started.map(({ pid }) => pid)]) {
    try {
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    } catch {
      // The process has ended.
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  rmSync(directory, { recursive: true, force: true });
});

// A libvirtd without root changes no owner of a file, and refuses the <seclabel> that would prevent it.
const disk = (file: string): string =>
  `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${file}'/>` +
  `<target dev='vdb' bus='virtio'/><readonly/></disk>`;

/** Starts a transient domain with this disk. */
const create = async (name: string, uuid: string, file: string, metadata = ''): Promise<void> => {
  const xml = path.join(directory, `${uuid}.xml`);
  // The machine `pc` has a bus for disks.
  const text = domainXml(name, disk(file), uuid)
    .replace("machine='microvm'", "machine='pc'")
    .replace('<memory', `${metadata}<memory`);
  writeFileSync(xml, text, { mode: 0o644 });
  await virsh('create', '--paused', xml);
};

describe("libvirt's hook, called by libvirt", () => {
  it('lets a transient domain start whose XML names its private disk, and the daemon takes that disk over', async () => {
    const uuid = randomUUID();
    const file = path.join(disks, `${uuid}.disk`);
    expect(existsSync(file)).toBe(false);
    await create("it's <a> $(name)\n", uuid, file);
    const look = lookAtDisk(file);
    expect(look.kind === 'content' && look.content.toString()).toBe('<metrics>\n</metrics>\n');
    expect(statSync(file)).toMatchObject({ size: CHUNK, mode: 0o100644 });
    const [pid] = processesWith('cmdline', uuid);
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain(file);

    const { ino } = statSync(file);
    const snapshots = new Subject<Snapshot>();
    const sink = privateDisks({
      path: path.join(disks, 'UUID.disk'),
      size: CHUNK,
      scheduler: asyncScheduler,
      owner: { uid: NOBODY, gid: NOBODY },
    });
    const running = sink.run(snapshots).subscribe();
    const at = (tick: number, domains: readonly KnownDomain[]): Snapshot => ({
      cause: 'tick',
      tick,
      at: tick * 5000,
      host: [{ name: 'Tick', type: 'string', value: `tick ${tick}` }],
      domainMetrics: [],
      missing: [],
      domains,
    });
    snapshots.next(at(1, [{ uuid, name: 'x', id: 1, persistent: false }]));
    // QEMU has this file open.
    await until('the disk is filled', () => readFileSync(file).includes('tick 1'));
    expect(statSync(file).ino).toBe(ino);
    await virsh('destroy', uuid);
    for (const tick of [2, 3]) snapshots.next(at(tick, []));
    await until('the disk has gone', () => !existsSync(file));
    running.unsubscribe();
  });

  it('makes nothing for another path: that start fails, as it would without it', async () => {
    const [uuid, other] = [randomUUID(), randomUUID()];
    const file = path.join(disks, `${other}.disk`);
    await expect(create('evil', uuid, file)).rejects.toThrow(/No such file or directory/);
    expect(existsSync(file)).toBe(false);
  });

  it('lets a domain start and stop whose XML is larger than a pipe holds, though the hook does not always read it', async () => {
    const uuid = randomUUID();
    const file = path.join(disks, `${uuid}.disk`);
    const filler = '<t:a/>'.repeat(200_000);
    await create('large', uuid, file, `<metadata><t:t xmlns:t='http://example.org/t'>${filler}</t:t></metadata>`);
    expect((await virsh('dumpxml', uuid)).length).toBeGreaterThan(1_000_000);
    expect(lookAtDisk(file).kind).toBe('content');
    await virsh('destroy', uuid);
  });

  it('lets a domain start again over the disk of the time before, untouched', async () => {
    const uuid = randomUUID();
    const file = path.join(disks, `${uuid}.disk`);
    writeFileSync(file, Buffer.alloc(CHUNK, 'x'));
    await create('again', uuid, file);
    expect(readFileSync(file).equals(Buffer.alloc(CHUNK, 'x'))).toBe(true);
    await virsh('destroy', uuid);
  });
});
