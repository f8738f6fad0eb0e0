import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { meanings } from '../../src/cli/watch/metric-semantics.ts';
import { parseConfig, readConfig } from '../../src/config/parse.ts';
import type { Config, Diagnostic } from '../../src/config/config.ts';
import { findStat } from '../../src/model/statistics.ts';
import { STATISTICS_NEEDED } from '../../src/verdict/judge.ts';

const load = (path: string): Config & { readonly warnings: readonly Diagnostic[] } => {
  const result = readConfig(fileURLToPath(new URL(`../../${path}`, import.meta.url)));
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return { ...result.value, warnings: result.warnings };
};

const MIB = ' * 0.0009765625';

/** Returns `context name type unit <- source`, one line for each metric. */
const table = ({ metrics }: Config, withSource: boolean): string[] =>
  metrics.map(({ context, name, type, unit, source }) => {
    const from =
      source.kind === 'stat' ? `${source.stat}${source.scale === undefined ? '' : ` * ${source.scale}`}` : 'action';
    return [context, name, type, unit ?? '-', ...(withSource ? ['<-', from] : [])].join(' ');
  });

const SAP = [
  ['host HostName string -', 'host.hostname'],
  ['host Time uint64 -', 'host.time'],
  ['host VirtualizationVendor string -', 'host.vendor'],
  ['host VirtProductInfo string -', 'host.product'],
  ['host HostSystemInfo string -', 'host.hostname.short'],
  ['host NumberOfPhysicalCPUs uint32 -', 'host.cpus'],
  ['host MemoryAllocatedToVirtualServers uint64 -', `host.memory.used${MIB}`],
  ['host FreePhysicalMemory uint64 -', `host.memory.free${MIB}`],
  ['host FreeVirtualMemory uint64 -', `host.virtual.free${MIB}`],
  ['host UsedVirtualMemory uint64 -', `host.virtual.used${MIB}`],
  ['host PagedInMemory uint64 -', `host.swap.in${MIB}`],
  ['host PagedOutMemory uint64 -', `host.swap.out${MIB}`],
  ['host TotalCPUTime real64 -', 'host.cpu.time'],
  ['vm TotalCPUTime real64 -', 'cpu.time * 1e-9'],
  ['vm ResourceProcessorLimit uint32 -', 'vcpu.current'],
  ['vm ResourceMemoryLimit uint64 -', `balloon.maximum${MIB}`],
  ['vm PhysicalMemoryAllocatedToVirtualSystem uint64 -', `balloon.current${MIB}`],
] as const;

const SUSE = [
  ['host HostName string -', 'host.libvirt.hostname'],
  ['host VirtualizationVendor string -', 'host.vendor.name'],
  ['host VirtualizationProductInfo string -', 'host.product'],
  ['host TotalPhyCPUs uint32 -', 'host.cpus'],
  ['host NumCPUs uint32 -', 'host.cpus'],
  ['host TotalPhyMem uint64 MiB', `host.memory.total${MIB}`],
  ['host UsedMem uint64 MiB', `host.memory.used${MIB}`],
  ['host FreeMem uint64 MiB', `host.memory.available${MIB}`],
  ['host PagedInMemory uint64 KiB', 'host.paging.in'],
  ['host PagedOutMemory uint64 KiB', 'host.paging.out'],
  ['host PageInRate uint64 -', 'host.paging.in.rate'],
  ['host PageFaultRate uint64 -', 'host.paging.faults.rate'],
  ['host TotalCPUTime real64 s', 'host.cpu.time'],
  ['vm TotalCPUTime real64 s', 'cpu.time * 1e-9'],
] as const;

const COMMON = {
  disk: { path: '/dev/shm/vhostmd0', size: 262_144 },
  updatePeriod: 5000,
  warnings: [],
};

describe('the presets', () => {
  it('conf/vhostmd.xml holds the SAP set, and starts no process', () => {
    const config = load('conf/vhostmd.xml');
    expect(config).toMatchObject({ ...COMMON, transports: [{ name: 'vbd' }, { name: 'virtio' }] });
    expect(table(config, true)).toEqual(SAP.map(([metric, source]) => `${metric} <- ${source}`));
  });

  it('CASE B2: conf/suse.xml holds the upstream set, and starts no process', () => {
    const config = load('conf/suse.xml');
    expect(config).toMatchObject({ ...COMMON, transports: [{ name: 'vbd' }] });
    expect(table(config, true)).toEqual(SUSE.map(([metric, source]) => `${metric} <- ${source}`));
  });
});

describe('conf/slow.xml', () => {
  const stats = ({ metrics }: Config): string[] =>
    metrics.map(({ source }) => (source.kind === 'stat' ? source.stat : 'action'));

  it('CASE E9: has steal, pressure, load and swap, and starts no process', () => {
    const config = load('conf/slow.xml');
    expect(config).toMatchObject({ ...COMMON, transports: [{ name: 'vbd' }, { name: 'virtio' }] });
    expect(stats(config)).toEqual(
      expect.arrayContaining([
        'vcpu.*.delay',
        'host.load.1',
        'host.memory.available',
        'host.swap.used',
        'host.swap.in',
      ]),
    );
    for (const resource of ['cpu', 'memory', 'io'])
      expect(stats(config)).toContain(`host.pressure.${resource}.some.avg60`);
    expect(stats(config)).not.toContain('action');
  });

  it('CASE E9: is shown by watch with a column of steal', () => {
    const meaning = meanings(load('conf/slow.xml').metrics)('vm', { name: 'StealTime', type: 'real64', unit: 's' });
    expect(meaning).toMatchObject({ quantity: 'stealTime', factor: 1 });
  });
});

describe('conf/contention.xml', () => {
  const config = load('conf/contention.xml');

  it('holds the SAP set as conf/vhostmd.xml does', () => {
    expect(table(config, true)).toEqual(
      expect.arrayContaining(SAP.map(([metric, source]) => `${metric} <- ${source}`)),
    );
    expect(table(config, true).slice(0, SAP.length)).toEqual(table(load('conf/vhostmd.xml'), true));
  });

  it('has all that the verdict is made of, by the name and in the unit of the statistic', () => {
    const named = config.metrics.slice(SAP.length);
    expect(named.map(({ name }) => name)).toEqual(
      expect.arrayContaining([...STATISTICS_NEEDED, 'slow.cause', 'slow.share']),
    );
    for (const { name, type, unit, context, source } of named) {
      const row = findStat('vm', name);
      expect({ name, type, unit: unit ?? '', context, source }).toEqual({
        name,
        type: row?.type,
        unit: row?.unit,
        context: 'vm',
        source: { kind: 'stat', stat: name },
      });
    }
  });

  it('shows no VM to another: it has no shared disk, and nothing of the host beyond the SAP set', () => {
    expect(config.disk).toBeUndefined();
    expect(config.vmDisk?.path).toBe('/run/vhostmd/UUID.disk');
    expect(config.metrics.filter(({ context }) => context === 'host')).toHaveLength(
      load('conf/vhostmd.xml').metrics.filter(({ context }) => context === 'host').length,
    );
  });
});

describe('files in the style of the C daemon', () => {
  it('of a distribution are accepted as they are: the same metrics, by actions', () => {
    const config = load('test/fixtures/config/rhel-style.xml');
    expect(config).toMatchObject(COMMON);
    expect(table(config, false)).toEqual(SAP.map(([metric]) => metric));
    expect(config.metrics.every(({ source }) => source.kind === 'action')).toBe(true);
  });

  it('of the samples are accepted as they are, groups, CDATA and continued lines included', () => {
    const config = load('test/fixtures/config/sample-style.xml');
    expect(config).toMatchObject(COMMON);
    expect(config.metrics).toHaveLength(13);
    expect(config.metrics.find(({ type }) => type === 'group')?.variables.map(({ name }) => name)).toEqual([
      'PageInRate',
      'PageFaultRate',
    ]);
    const commands = config.metrics.map(({ source }) => (source.kind === 'action' ? source.command : ''));
    expect(commands[1]).toBe('\n        . /etc/os-release && \\\n          echo "$NAME"\n      ');
    expect(commands[2]).toContain(
      "version < /dev/null | \\\n          awk -F ': ' '/^Using API/ && NF > 1 { print $2 }'",
    );
    expect(commands[5]).toContain('$((KB / 1024))');
    expect(commands[7]).toContain('if ($4 < 1) print 0; else print $4');
  });
});

describe('docs/configuration.md', () => {
  it('shows a file and a metric that are accepted as they stand', () => {
    const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
    const [file = '', metric = '', ...others] = [...page.matchAll(/^```xml\n([^]*?)^```/gm)].map(
      ([, text = '']) => text,
    );
    expect(others).toEqual([]);
    for (const text of [file, file.replace('<metrics>', `<metrics>${metric}`)]) {
      expect(parseConfig(text, 'f')).toMatchObject({ ok: true, warnings: [] });
    }
  });
});
