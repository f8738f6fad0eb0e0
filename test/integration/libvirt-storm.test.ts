import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { readMetrics, until } from '../support/daemon.ts';
import { memoryOf } from '../support/processes.ts';
import { action, domainsOn, libvirtStage, linesOf, stat, updatesOf } from './libvirt-stage.ts';

const stage = libvirtStage();

const COALESCE = 50;

// libvirtd's test driver starts a simulated domain in a millisecond; all its clients see the same domains.
const testUri = (uri: string): string => uri.replace('qemu+unix:///session', 'test+unix:///default');

interface TestDomain {
  readonly name: string;
  readonly uuid: string;
  readonly file: string;
}

const testDomains = (folder: string, count: number): readonly TestDomain[] => {
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: count }, (_, index) => {
    const [name, uuid] = [`t${index}`, randomUUID()];
    const file = path.join(folder, `${name}.xml`);
    writeFileSync(
      file,
      `<domain type='test'><name>${name}</name><uuid>${uuid}</uuid><memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>`,
    );
    return { name, uuid, file };
  });
};

// One virsh runs thousands of commands a second.
const virshBatch = async (uri: string, commands: readonly string[]): Promise<void> => {
  const virsh = spawn('virsh', ['-q', '-c', uri], { stdio: ['pipe', 'ignore', 'ignore'] });
  virsh.stdin.end(`${commands.join('\n')}\n`);
  await new Promise((resolve) => virsh.once('exit', resolve));
};

describe('A storm of starts and stops', () => {
  it('FAULTS 32: is coalesced to a snapshot per 50 ms, takes bounded memory, and leaves exactly the right domains', async () => {
    const { libvirtd, folder, run } = stage();
    const uri = testUri(libvirtd.uri);
    const domains = testDomains(path.join(folder, 'storm'), 200);
    const metrics = ['cpu.time', 'vcpu.current', 'balloon.current'].map((name) => stat('vm', name)).join('');
    const { daemon, disk } = await run(metrics, { uri, period: 60, args: ['-v'] });
    const { pid } = daemon.child;
    const ready = updatesOf(daemon).length;
    const memory = memoryOf(pid);
    const commands: string[] = [];
    for (let round = 0; round < 15; round += 1) {
      for (const { file } of domains) commands.push(`create ${file}`);
      for (const { name } of domains) commands.push(`destroy ${name}`);
    }
    for (const { file } of domains.filter((_, index) => index % 3 === 0)) commands.push(`create ${file}`);
    const start = performance.now();
    await virshBatch(uri, commands);
    const right = (await libvirtd.virsh('-c', uri, 'list', '--uuid')).split('\n').filter(Boolean);
    expect(right).toHaveLength(1 + Math.ceil(domains.length / 3));
    await until(
      'exactly the domains that run are on the disk',
      async () => {
        const shown = await domainsOn(disk);
        return shown.size === right.length && right.every((uuid) => shown.has(uuid));
      },
      5000,
    );
    const took = performance.now() - start;
    await sleep(500);
    expect((await domainsOn(disk)).size).toBe(right.length);
    const updates = updatesOf(daemon).slice(ready);
    expect(updates.length).toBeGreaterThan(1);
    expect(updates.length).toBeLessThanOrEqual(took / COALESCE + 2);
    expect(memoryOf(pid) - memory).toBeLessThan(80);
    expect(daemon.output()).not.toMatch(/has no value| err /);
  });

  it('runs no action for domains that start and stop within 50 ms, and shows none of them afterwards', async () => {
    const { libvirtd, folder, run } = stage();
    const uri = testUri(libvirtd.uri);
    const runs = path.join(folder, 'blips');
    const domains = testDomains(path.join(folder, 'blips.d'), 300);
    const { disk } = await run(action('vm', 'Name', `echo NAME >>${runs}; echo NAME`), { uri, period: 60 });
    const before = await domainsOn(disk);
    const ran = linesOf(runs).length;
    const start = performance.now();
    await virshBatch(
      uri,
      domains.flatMap(({ file, name }) => [`create ${file}`, `destroy ${name}`]),
    );
    const took = performance.now() - start;
    await sleep(500);
    expect(await domainsOn(disk)).toEqual(before);
    // A window may close between the start and the stop of a domain.
    const seen = linesOf(runs).length - ran;
    expect(seen).toBeLessThanOrEqual(took / COALESCE + 2);
    expect(seen).toBeLessThan(domains.length / 3);
  });

  it('of real domains in parallel ends with all of them, each with its own id and name', async () => {
    const { libvirtd, run } = stage();
    const { disk } = await run(action('vm', 'Name', 'echo NAME') + stat('vm', 'balloon.current'), { period: 60 });
    const names = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5'];
    const uuids = await Promise.all(names.map((name) => libvirtd.create(name)));
    await Promise.all(['p1', 'p4'].map(libvirtd.destroy));
    const expected = names.filter((name) => name !== 'p1' && name !== 'p4');
    await until(
      'the right names are on the disk',
      async () => {
        const shown = (await readMetrics(disk)).filter(({ name }) => name === 'Name');
        return (
          shown
            .map(({ value }) => value)
            .sort()
            .join() === expected.join()
        );
      },
      15_000,
    );
    for (const metric of await readMetrics(disk)) {
      if (metric.name === 'Name') expect(metric.uuid).toBe(uuids[names.indexOf(metric.value)]);
    }
  });
});
