import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { PROGRAM, readMetrics, type RunningDaemon, startDaemon, until } from '../support/daemon.ts';
import { libvirtStage } from './libvirt-stage.ts';

const stage = libvirtStage({ keepDomains: true });
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const preset = (name: string): string => fileURLToPath(new URL(`../../conf/${name}`, import.meta.url));

let folder = '';
let uuid = '';
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-config-'));
  const { libvirtd } = stage();
  // It runs, because it has to use CPU time.
  uuid = await libvirtd.create('guest', { paused: false });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Copies a file; changes only the disk's path and the folder of the scripts.
const adapted = (file: string): { readonly config: string; readonly disk: string } => {
  const config = path.join(folder, path.basename(file));
  const disk = `${config}.disk`;
  copyFileSync(file, config);
  const text = readFileSync(config, 'utf8')
    .replace('/dev/shm/vhostmd0', disk)
    .replace('</path>\n    <transport>', `:${fixture('scripts')}</path>\n    <transport>`);
  writeFileSync(config, text);
  return { config, disk };
};

type Published = ReadonlyMap<
  string,
  { readonly type: string; readonly unit: string | undefined; readonly value: string }
>;

const published = async (disk: string): Promise<Published> =>
  new Map(
    (await readMetrics(disk)).map(({ context, name, type, unit, value, uuid: of }) => {
      expect(of).toBe(context === 'vm' ? uuid : undefined);
      return [`${context} ${name}`, { type, unit, value }];
    }),
  );

const withDaemon = async (
  file: string,
  look: (values: Published) => void | Promise<void>,
  count: number,
  missing = / err |has no value/,
): Promise<void> => {
  const { config, disk } = adapted(file);
  let daemon: RunningDaemon | undefined;
  try {
    daemon = await startDaemon(['-f', config, '-c', stage().libvirtd.uri]);
    await until('all metrics are on the disk', async () => (await readMetrics(disk)).length === count, 30_000);
    await look(await published(disk));
    expect(daemon.output()).not.toMatch(missing);
  } finally {
    await daemon?.stop();
  }
};

const once = async (file: string): Promise<Published> => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    PROGRAM,
    'once',
    '-f',
    file,
    '-c',
    stage().libvirtd.uri,
  ]);
  const metric =
    /<metric type='(\w+)' context='(\w+)'[^>]*?(?:unit='(\w+)')?>\s*<name>(.*?)<\/name>\s*<value>(.*?)<\/value>/g;
  return new Map(
    [...stdout.matchAll(metric)].map(([, type = '', context = '', unit, name = '', value = '']) => [
      `${context} ${name}`,
      { type, unit, value },
    ]),
  );
};

// Values that change over time may differ by this much; all others must be equal.
const SLACK: Readonly<Record<string, number>> = {
  'host Time': 60,
  'host MemoryAllocatedToVirtualServers': 2048,
  'host FreePhysicalMemory': 4096,
  'host FreeVirtualMemory': 4096,
  'host UsedVirtualMemory': 2048,
  'host UsedMem': 2048,
  'host FreeMem': 4096,
  'host PagedInMemory': 1_000_000,
  'host PagedOutMemory': 1_000_000,
  'host PageInRate': 10_000_000,
  'host PageFaultRate': 10_000_000,
  'host TotalCPUTime': 600,
  'vm TotalCPUTime': 60,
};

const compare = (byActions: Published, byStats: Published, others: readonly string[] = []): void => {
  expect([...byActions.keys()].sort()).toEqual([...byStats.keys()].sort());
  for (const [key, { type, unit, value }] of byStats) {
    const other = byActions.get(key);
    const slack = SLACK[key];
    if (others.includes(key)) expect(other).toBeDefined();
    else if (slack === undefined) expect(`${key} ${other?.value}`).toBe(`${key} ${value}`);
    else expect(Math.abs(Number(other?.value) - Number(value)), key).toBeLessThanOrEqual(slack);
    expect(`${key} ${other?.type}`).toBe(`${key} ${type}`);
    if (other?.unit !== undefined) expect(`${key} ${other.unit}`).toBe(`${key} ${unit}`);
  }
};

describe('A configuration file of the C daemon', () => {
  it('with the SAP set by shell commands gives the same metrics and values as our statistics', async () => {
    await withDaemon(
      fixture('config/rhel-style.xml'),
      async (values) => {
        // This file gives libvirt's version as QEMU's.
        compare(values, await once(preset('vhostmd.xml')), ['host VirtProductInfo']);
        expect(Number(values.get('vm TotalCPUTime')?.value)).toBeGreaterThan(0);
        expect(values.get('vm ResourceMemoryLimit')?.value).toBe('16');
        expect(values.get('vm PhysicalMemoryAllocatedToVirtualSystem')?.value).toBe('16');
        expect(values.get('vm ResourceProcessorLimit')?.value).toBe('1');
        expect(values.get('host VirtProductInfo')?.value).toMatch(/^QEMU \d+\.\d+\.\d+$/);
      },
      17,
    );
  });

  it('with a sample file of old runs unchanged, scripts, groups and comments included', async () => {
    await withDaemon(
      fixture('config/sample-style.xml'),
      async (values) => {
        const stats = await once(preset('suse.xml'));
        // This file is older than the one that suse.xml replaces, and differs in these three metrics.
        compare(values, stats, ['host VirtualizationProductInfo', 'host FreeMem', 'host PageFaultRate']);
        expect(Number(values.get('host PageFaultRate')?.value)).toBeGreaterThan(0);
      },
      14,
    );
  });

  it("CASE B2: upstream's file gives metric by metric the values of conf/suse.xml", async () => {
    const { libvirtd } = stage();
    await withDaemon(
      fixture('config/upstream-style.xml'),
      async (values) => {
        const stats = await once(preset('suse.xml'));
        compare(values, stats);
        expect(stats.get('host HostName')?.value).toBe(await libvirtd.virsh('hostname'));
        const [, running] = /^Running hypervisor: (.*)$/m.exec(await libvirtd.virsh('version')) ?? [];
        expect(stats.get('host VirtualizationProductInfo')?.value).toBe(running);
        expect((await once(preset('vhostmd.xml'))).get('host VirtProductInfo')?.value).toBe(running);
      },
      14,
    );
  });

  it('of our own, the default, is published by the daemon as `once` prints it', async () => {
    await withDaemon(preset('vhostmd.xml'), async (values) => compare(values, await once(preset('vhostmd.xml'))), 17);
  });

  it('CASE B4: takes every field that virsh domstats prints, without a warning', async () => {
    const { libvirtd } = stage();
    const fields = [...(await libvirtd.virsh('domstats', '--raw', uuid)).matchAll(/^\s+([\w.-]+)=(.+)$/gm)];
    expect(fields.length).toBeGreaterThan(10);
    expect(fields.map(([, name]) => name)).toContain('cpu.cache.monitor.count');
    const config = path.join(folder, 'all-fields.xml');
    const metrics = fields
      .map(([, name]) => `<metric type="string" context="vm"><name>${name}</name><stat>${name}</stat></metric>`)
      .join('\n');
    writeFileSync(
      config,
      `<vhostmd><globals><disk><name>d</name><path>${config}.disk</path><size unit="k">256</size></disk>
       <update_period>5</update_period><path>/bin</path><transport>vbd</transport></globals>
       <metrics>${metrics}</metrics></vhostmd>`,
    );
    const check = await promisify(execFile)(process.execPath, [PROGRAM, 'check', config]);
    expect(check.stderr).toBe('');
    const values = await once(config);
    for (const [, name, value] of fields) {
      expect([...values.keys()]).toContain(`vm ${name}`);
      if (/\.(count|current|maximum|state|name)$/.test(name ?? '')) expect(values.get(`vm ${name}`)?.value).toBe(value);
    }
  });

  it('CASE E9: slow.xml has a value of each of its metrics, steal and pressure among them', async () => {
    const pressure = existsSync('/proc/pressure/cpu');
    await withDaemon(
      preset('slow.xml'),
      (values) => {
        expect(Number(values.get('vm StealTime')?.value)).toBeGreaterThanOrEqual(0);
        expect(values.get('vm StealTime')).toMatchObject({ type: 'real64', unit: 's' });
        expect(Number(values.get('vm TotalCPUTime')?.value)).toBeGreaterThan(0);
        expect(values.get('vm Memory')?.value).toBe('16');
        expect(values.has('host CPUPressure60')).toBe(pressure);
        expect(Number(values.get('host AvailableMemory')?.value)).toBeGreaterThan(0);
      },
      pressure ? 24 : 16,
      pressure ? undefined : / err /,
    );
  });
});
