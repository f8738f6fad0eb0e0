import { describe, expect, it } from 'vitest';

import type { MetricDefinition } from '../../../src/model/metric.ts';
import { STATISTICS } from '../../../src/model/statistics.ts';
import { meanings } from '../../../src/cli/watch/metric-semantics.ts';

const MIB = 1024 ** 2;

const statOf = (context: 'host' | 'vm', name: string, stat: string, scale?: number): MetricDefinition => ({
  index: 0,
  name,
  type: 'real64',
  context,
  source: { kind: 'stat', stat, ...(scale === undefined ? {} : { scale }) },
  variables: [],
  every: 1,
  timeout: 1,
  place: { file: '', line: 1, column: 1 },
});

describe('the meaning of a metric', () => {
  const meaningOf = meanings();

  it.each([
    ['host', 'HostName', 'string', '', 'name', 1],
    ['host', 'Time', 'uint64', '', 'time', 1],
    ['host', 'TotalCPUTime', 'real64', '', 'cpuTime', 1],
    ['host', 'NumberOfPhysicalCPUs', 'uint32', '', 'cpus', 1],
    ['host', 'FreePhysicalMemory', 'uint64', '', 'memoryFree', MIB],
    ['host', 'MemoryAllocatedToVirtualServers', 'uint64', '', 'memoryUsed', MIB],
    ['host', 'TotalPhyCPUs', 'uint32', '', 'cpus', 1],
    ['host', 'TotalPhyMem', 'uint64', 'MiB', 'memoryTotal', MIB],
    ['host', 'FreeMem', 'uint64', 'KiB', 'memoryFree', 1024],
    ['host', 'host.memory.available', 'uint64', '', 'memoryAvailable', 1024],
    ['host', 'host.memory.total', 'uint64', 'GiB', 'memoryTotal', 1024 ** 3],
    ['host', 'host.cpu.time', 'real64', '', 'cpuTime', 1],
    ['host', 'host.load.1', 'real64', '', 'load1', 1],
    ['host', 'LoadAverage5', 'real64', '', 'load5', 1],
    ['host', 'load15', 'real64', '', 'load15', 1],
    ['vm', 'TotalCPUTime', 'real64', 's', 'cpuTime', 1],
    ['vm', 'cpu.time', 'uint64', '', 'cpuTime', 1e-9],
    ['vm', 'ResourceProcessorLimit', 'uint32', '', 'cpus', 1],
    ['vm', 'PhysicalMemoryAllocatedToVirtualSystem', 'uint64', '', 'memory', MIB],
    ['vm', 'ResourceMemoryLimit', 'uint64', '', 'memoryMaximum', MIB],
    ['vm', 'balloon.current', 'uint64', '', 'memory', 1024],
    ['vm', 'balloon.maximum', 'uint64', '', 'memoryMaximum', 1024],
    ['vm', 'StealTime', 'real64', '', 'stealTime', 1],
    ['vm', 'StealTime', 'uint64', 'ms', 'stealTime', 1e-3],
    ['vm', 'vcpu.*.delay', 'uint64', '', 'stealTime', 1e-9],
    ['vm', 'CpuStealPercent', 'real64', '', 'stealShare', 1],
    ['vm', 'Steal', 'real64', '%', 'stealShare', 1],
  ] as const)('in context %s: %s (%s, unit "%s") is %s', (context, name, type, unit, quantity, factor) => {
    expect(meaningOf(context, { name, type, ...(unit === '' ? {} : { unit }) })).toMatchObject({ quantity, factor });
  });

  it.each([
    ['host', 'host.cpu.steal'],
    ['host', 'PagedInMemory'],
    ['vm', 'Backups'],
    ['vm', 'vcpu.0.delay'],
    ['vm', 'HostName'],
  ] as const)('in context %s: %s is shown under its own name, if at all', (context, name) => {
    expect(meaningOf(context, { name, type: 'uint64' })).not.toHaveProperty('quantity');
  });

  it('is that of its statistic in the configuration, whatever the name, and the scale is undone', () => {
    const known = meanings([
      statOf('vm', 'Zeit', 'cpu.time', 1e-9),
      statOf('vm', 'Speicher', 'balloon.current', 1 / 1024),
      statOf('vm', 'Geklaut', 'vcpu.*.delay', 1e-6),
      statOf('vm', 'Empfangen', 'net.*.rx.bytes'),
      statOf('host', 'Last', 'host.load.1'),
    ]);
    expect(known('vm', { name: 'Zeit', type: 'real64' })).toMatchObject({ quantity: 'cpuTime', factor: 1 });
    expect(known('vm', { name: 'Speicher', type: 'real64' })).toMatchObject({ quantity: 'memory', factor: MIB });
    expect(known('vm', { name: 'Geklaut', type: 'uint64' }).quantity).toBe('stealTime');
    expect(known('vm', { name: 'Geklaut', type: 'uint64' }).factor).toBeCloseTo(1e-3, 12);
    expect(known('vm', { name: 'Empfangen', type: 'uint64' })).toEqual({ factor: 1, memory: false, counter: true });
    expect(known('host', { name: 'Last', type: 'real64' }).quantity).toBe('load1');
  });

  it.each(STATISTICS.vm)('grows if its statistic is a counter: $name', ({ name, type, kind }) => {
    const stat = name.replaceAll('#', '1').replaceAll('?', 'word');
    expect(meaningOf('vm', { name: stat, type }).counter).toBe(kind === 'counter');
    const given = meanings([statOf('vm', 'Any', stat)]);
    expect(given('vm', { name: 'Any', type }).counter).toBe(kind === 'counter');
  });

  it('is another one as soon as the unit is another one', () => {
    expect(meaningOf('vm', { name: 'Quota', type: 'uint64', unit: 'MiB' })).toMatchObject({
      factor: MIB,
      memory: true,
    });
    expect(meaningOf('vm', { name: 'Quota', type: 'uint64' })).toMatchObject({ factor: 1, memory: false });
  });
});
