import { randomUUID } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { STATISTICS } from '../../src/model/statistics.ts';
import { until, valueOf } from '../support/daemon.ts';
import { startLibvirtd } from '../support/libvirtd.ts';
import { networkDisk } from '../support/slow-storage.ts';
import { libvirtStage, stat } from './libvirt-stage.ts';

const stage = libvirtStage();
const METRICS = STATISTICS.vm
  .filter(({ name }) => name.startsWith('activity.'))
  .map(({ name, type }) => stat('vm', name, type))
  .join('');

let undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of undo.toReversed()) await step();
  undo = [];
});

/** Starts a VM that boots from this disk; a path is that of a raw file. */
const machine = async (disk: string): Promise<{ readonly uuid: string; readonly file: string }> => {
  const { libvirtd, folder } = stage();
  chmodSync(folder, 0o755);
  const uuid = randomUUID();
  const file = path.join(folder, `${uuid}.raw`);
  writeFileSync(file, Buffer.alloc(32 * 2 ** 20, 1), { mode: 0o666 });
  chmodSync(file, 0o666);
  const xml = path.join(folder, `${uuid}.xml`);
  writeFileSync(
    xml,
    `<domain type='qemu'><name>vm</name><uuid>${uuid}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>` +
      `<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>` +
      `${disk.replace('FILE', file)}</devices></domain>`,
    { mode: 0o644 },
  );
  await libvirtd.virsh('create', xml);
  return { uuid, file };
};
const FILE_DISK = `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='FILE'/><target dev='vda' bus='virtio'/></disk>`;

// The period is so long that only an event can change a value in time.
const BY_EVENT = { period: 600 };

describe('What the host does to a VM', () => {
  it('is a pause, with its reason and its time, at once', async () => {
    const { libvirtd, run } = stage();
    const uuid = await libvirtd.create('vm', { paused: false });
    const { disk } = await run(METRICS, BY_EVENT);
    expect(await valueOf(disk, 'activity.paused.reason', uuid)).toBe('none');
    await libvirtd.virsh('suspend', uuid);
    await until('it is paused', async () => (await valueOf(disk, 'activity.paused.reason', uuid)) === 'user');
    await libvirtd.virsh('resume', uuid);
    await until('it has resumed', async () => Number(await valueOf(disk, 'activity.paused.time', uuid)) > 0);
    expect(await valueOf(disk, 'activity.job', uuid)).toBe('none');
  });

  it('is a pause that was before the daemon', async () => {
    const { libvirtd, run } = stage();
    const uuid = await libvirtd.create('vm');
    const { disk } = await run(METRICS);
    expect(await valueOf(disk, 'activity.paused.reason', uuid)).toBe('user');
    await until('its time grows', async () => Number(await valueOf(disk, 'activity.paused.time', uuid)) > 1e9);
  });

  it('is a migration, at once, to its end', async () => {
    const { libvirtd, run } = stage();
    const other = await startLibvirtd();
    undo.push(other.close);
    const uuid = await libvirtd.create('vm', { paused: false });
    const { disk, daemon } = await run(METRICS, BY_EVENT);
    const seen: (string | undefined)[] = [];
    const migrate = ['migrate', '--live', '--p2p', '--bandwidth', '1', 'vm', other.uri];
    let done = false;
    const migrated = libvirtd
      .virsh(...migrate, '--migrateuri', `unix://${path.join('/tmp', `vhostmd-${randomUUID()}`)}`)
      .finally(() => (done = true));
    await until('it is seen, or over', async () => {
      const job = await valueOf(disk, 'activity.job', uuid);
      if (job !== seen.at(-1)) seen.push(job);
      return done;
    });
    await migrated;
    expect(seen).toContain('migration');
    // It has gone to another host.
    await until('it has gone', async () => (await valueOf(disk, 'activity.job', uuid)) === undefined);
    expect(daemon.output()).not.toMatch(/error/i);
  });

  it('is a job of a disk, and its end at once', async () => {
    const { libvirtd, run, folder } = stage();
    const { uuid } = await machine(FILE_DISK);
    const copy = path.join(folder, 'copy.raw');
    writeFileSync(copy, '', { mode: 0o666 });
    chmodSync(copy, 0o666);
    await libvirtd.virsh('blockcopy', uuid, 'vda', copy, '--transient-job', '--bandwidth', '1', '--format', 'raw');
    const { disk } = await run(METRICS, BY_EVENT);
    expect(await valueOf(disk, 'activity.job', uuid)).toBe('blockcopy');
    expect(Number(await valueOf(disk, 'activity.job.progress', uuid))).toBeLessThan(100);
    await libvirtd.virsh('blockjob', uuid, 'vda', '--abort');
    await until('it has ended', async () => (await valueOf(disk, 'activity.job', uuid)) === 'none');
    expect(await valueOf(disk, 'activity.job.ended', uuid)).toBe('1');
    expect(Number(await valueOf(disk, 'activity.job.time', uuid))).toBeGreaterThan(0);
  });

  it('is a backup', async () => {
    const { libvirtd, run, folder } = stage();
    const slow = await networkDisk(folder, '--filter=noextents', '--filter=delay', 'memory', '64M', 'rdelay=500ms');
    undo.push(slow.close);
    const { uuid } = await machine(
      `<disk type='network' device='disk'><driver name='qemu' type='raw'/>${slow.source}<target dev='vda' bus='virtio'/></disk>`,
    );
    chmodSync(folder, 0o777);
    const target = path.join(folder, 'backup.raw');
    const xml = path.join(folder, 'backup.xml');
    writeFileSync(
      xml,
      `<domainbackup><disks><disk name='vda' type='file'><driver type='raw'/><target file='${target}'/></disk></disks></domainbackup>`,
    );
    await libvirtd.virsh('backup-begin', uuid, xml);
    const { disk } = await run(METRICS, BY_EVENT);
    expect(await valueOf(disk, 'activity.job', uuid)).toBe('backup');
    await until('it has ended', async () => (await valueOf(disk, 'activity.job', uuid)) === 'none', 30_000);
    expect(await valueOf(disk, 'activity.job.ended', uuid)).toBe('1');
  });

  it('is an I/O error that stops it', async () => {
    const { run, folder } = stage();
    const broken = await networkDisk(
      folder,
      '--filter=error',
      'memory',
      '8M',
      'error-pread=EIO',
      'error-pread-rate=100%',
    );
    undo.push(broken.close);
    const { disk } = await run(METRICS, BY_EVENT);
    const { uuid } = await machine(
      `<disk type='network' device='disk'><driver name='qemu' type='raw' error_policy='stop' rerror_policy='stop'/>` +
        `${broken.source}<target dev='vda' bus='virtio'/></disk>`,
    );
    await until('it stops', async () => (await valueOf(disk, 'activity.paused.reason', uuid)) === 'ioerror', 30_000);
    await until('it is counted', async () => Number(await valueOf(disk, 'activity.io.errors', uuid)) > 0);
  });

  it('goes on for the others while several VMs are frozen', { timeout: 90_000 }, async () => {
    const { libvirtd, run } = stage();
    const frozen = await Promise.all(['f0', 'f1', 'f2', 'f3'].map((name) => libvirtd.create(name)));
    const uuid = await libvirtd.create('vm');
    const pids = frozen.map((one) => libvirtd.qemuPid(one));
    // Statistics for which the daemon has calls that hang, too.
    const monitored = stat('vm', 'balloon.rss') + stat('vm', 'vcpu.0.time') + stat('vm', 'block.count', 'uint32');
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      const { disk, daemon } = await run(METRICS + monitored);
      const pausedTime = async (): Promise<number> => Number((await valueOf(disk, 'activity.paused.time', uuid)) ?? 0);
      // libvirt gives up a question about a frozen VM after 30 s; the daemon gives up libvirt after 20 s of silence.
      const frozenSince = performance.now();
      while (performance.now() < frozenSince + 25_000) {
        const before = await pausedTime();
        await until('its time grows', async () => (await pausedTime()) > before, 10_000);
      }
      expect(daemon.output()).not.toContain('Not connected');
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
  });

  it('is not forgotten in the middle of a job when libvirtd is killed, and does not last for ever', async () => {
    const { libvirtd, run, folder } = stage();
    const { uuid } = await machine(FILE_DISK);
    const copy = path.join(folder, 'copy2.raw');
    writeFileSync(copy, '', { mode: 0o666 });
    chmodSync(copy, 0o666);
    await libvirtd.virsh('blockcopy', uuid, 'vda', copy, '--transient-job', '--bandwidth', '1', '--format', 'raw');
    const { disk, daemon } = await run(METRICS);
    expect(await valueOf(disk, 'activity.job', uuid)).toBe('blockcopy');
    libvirtd.kill('SIGKILL');
    await daemon.printed('Not connected', 30_000);
    await libvirtd.start();
    await until(
      'the job is seen again',
      async () => (await valueOf(disk, 'activity.job', uuid)) === 'blockcopy',
      30_000,
    );
    await libvirtd.virsh('blockjob', uuid, 'vda', '--abort');
    await until('it has ended', async () => (await valueOf(disk, 'activity.job', uuid)) === 'none');
  });
});
