import { spawnSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { readConfig } from '../../../src/config/parse.ts';
import type {
  Context,
  DomainMetrics,
  MetricDefinition,
  Sample,
  Snapshot,
  ValueType,
} from '../../../src/model/metric.ts';
import { snakeCase } from '../../../src/sinks/prometheus/snake-case.ts';
import { snapshotFamilies } from '../../../src/sinks/prometheus/snapshot-families.ts';
import { steadiedCounters } from '../../../src/sinks/prometheus/steady-counters.ts';
import { statisticKind } from '../../../src/sinks/prometheus/statistic-kinds.ts';
import { familiesText } from '../../../src/sinks/prometheus/exposition.ts';
import { unitOf } from '../../../src/sinks/prometheus/unit-names.ts';
import { STATISTICS } from '../../../src/model/statistics.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';
import { meanings } from '../../../src/cli/watch/metric-semantics.ts';

interface Given {
  readonly type?: MetricDefinition['type'];
  readonly context?: Context;
  readonly unit?: string;
  readonly stat?: string;
  readonly scale?: number;
  readonly variables?: MetricDefinition['variables'];
}
let index = 0;
const metric = (
  name: string,
  { type = 'uint64', context = 'host', unit, stat, scale, variables = [] }: Given = {},
): MetricDefinition => ({
  index: index++,
  name,
  type,
  context,
  ...(unit === undefined ? {} : { unit }),
  source:
    stat === undefined
      ? { kind: 'action', command: 'echo secret' }
      : { kind: 'stat', stat, ...(scale === undefined ? {} : { scale }) },
  variables,
  every: 1,
  timeout: 1000,
  place: { file: 'f', line: 1, column: 1 },
});
const value = (name: string, text: string, type: ValueType = 'uint64', unit?: string): Sample => ({
  name,
  type,
  value: text,
  ...(unit === undefined ? {} : { unit }),
});
const pageOf = async (of: Snapshot): Promise<{ readonly text: string; readonly leftOut: number }> => {
  const { families, leftOut } = snapshotFamilies(of);
  return { text: await familiesText(families), leftOut };
};
const page = async (
  metrics: readonly MetricDefinition[],
  host: readonly Sample[],
  domainMetrics: readonly DomainMetrics[] = [],
): Promise<string> => (await pageOf({ ...snapshot(1, host, domainMetrics), metrics })).text;
const linesOf = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
/** Returns the page of one host metric. */
const one = async (name: string, text: string, given: Given = {}): Promise<string> => {
  const definition = metric(name, given);
  return await page([definition], [value(name, text, definition.type as ValueType, given.unit)]);
};
const promtool = (text: string): { readonly status: number | null; readonly said: string } => {
  const { status, stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  return { status, said: stdout + stderr };
};

describe('a name for Prometheus', () => {
  it.each([
    ['TotalCPUTime', 'total_cpu_time'],
    ['NumCPUs', 'num_cpus'],
    ['NumberOfPhysicalCPUs', 'number_of_physical_cpus'],
    ['VMsRunning', 'vms_running'],
    ['VirtProductInfo', 'virt_product_info'],
    ['net.0.rx.bytes', 'net_0_rx_bytes'],
    ['already_snake', 'already_snake'],
    ['Load 1/5 (%)', 'load_1_5'],
    ['Größe', 'gr_e'],
    ['"}\n evil 1', 'evil_1'],
    ['__', 'metric'],
    ['x'.repeat(500), 'x'.repeat(120)],
  ])('of %j is %s', async (name, expected) => {
    expect(snakeCase(name)).toBe(expected);
  });
});

describe('a metric on the page', () => {
  it.each<[string, string, Given, string]>([
    [
      'TotalCPUTime',
      '69.400000',
      { type: 'real64', unit: 's', stat: 'host.cpu.time' },
      'vhostmd_host_cpu_time_seconds_total 69.4',
    ],
    ['Swapped', '3', { stat: 'host.swap.in', scale: 1 / 1024 }, 'vhostmd_host_swapped_bytes_total 3145728'],
    [
      'FreePhysicalMemory',
      '2',
      { stat: 'host.memory.free', scale: 1 / 1024 },
      'vhostmd_host_free_physical_memory_bytes 2097152',
    ],
    ['Free', '2', { stat: 'host.memory.free' }, 'vhostmd_host_free_bytes 2048'],
    ['Pressure', '12.5', { type: 'real64', stat: 'host.pressure.cpu.some.avg10' }, 'vhostmd_host_pressure_ratio 0.125'],
    ['Time', '1700000000', { stat: 'host.time' }, 'vhostmd_host_time_seconds 1700000000'],
    ['Load', '0.5', { type: 'real64', stat: 'host.load.1' }, 'vhostmd_host_load 0.5'],
    ['PageInRate', '4', { stat: 'host.paging.in.rate' }, 'vhostmd_host_page_in_bytes_per_second 4096'],
    ['MemoryTotal', '1', { stat: 'host.cpus' }, 'vhostmd_host_memory_total_value 1'],
    ['UsedMem', '5', { unit: 'MiB' }, 'vhostmd_host_used_mem_bytes 5242880'],
    ['used_bytes', '5', { unit: 'B' }, 'vhostmd_host_used_bytes 5'],
    ['Faults', '5', { unit: 'Pages' }, 'vhostmd_host_faults_pages 5'],
    ['RequestsTotal', '5', {}, 'vhostmd_host_requests_total 5'],
    ['Rate', '5', { unit: 'kB/s' }, 'vhostmd_host_rate_bytes_per_second 5120'],
    ['Odd', '5', { unit: '"}\n' }, 'vhostmd_host_odd 5'],
    ['Odd', '5', { unit: 'constructor' }, 'vhostmd_host_odd_constructor 5'],
  ])('%s %s %j', async (name, text, given, line) => {
    const text_ = await one(name, text, given);
    expect(linesOf(text_)).toEqual([line]);
    expect(promtool(text_)).toEqual({ status: 0, said: '' });
  });

  it('is a counter or a gauge where a statistic tells, and untyped where an action prints it', async () => {
    expect(await one('A', '1', { stat: 'host.cpu.time' })).toContain('# TYPE vhostmd_host_a_seconds_total counter\n');
    expect(await one('A', '1', { stat: 'host.cpus' })).toContain('# TYPE vhostmd_host_a gauge\n');
    expect(await one('A', '1')).toContain('# TYPE vhostmd_host_a untyped\n');
  });

  it('is explained by its name, unit and source, and never by the command of an action', async () => {
    expect(await one('A', '1', { unit: 'MiB', stat: 'host.memory.free', scale: 0.5 })).toContain(
      '# HELP vhostmd_host_a_bytes A in bytes, from statistic host.memory.free\n',
    );
    expect(await one('A', '1')).toContain('# HELP vhostmd_host_a A, from an action\n');
    expect(await one('a\\b\nc', '1')).toContain('# HELP vhostmd_host_a_b_c a\\\\b c, from an action\n');
  });

  it('is what Prometheus makes of it: a float of 64 bits', async () => {
    expect(linesOf(await one('A', '9007199254740991'))).toEqual(['vhostmd_host_a 9007199254740991']);
    expect(linesOf(await one('A', '-9223372036854775808', { type: 'int64' }))).toEqual([
      'vhostmd_host_a -9223372036854776000',
    ]);
    expect(linesOf(await one('A', '18446744073709551615', { unit: 'KiB' }))).toEqual([
      'vhostmd_host_a_bytes 1.888946593147858e+22',
    ]);
  });

  it.each(['NaN', 'Infinity', '-inf', 'abc', ''])(
    'is left out and counted if its value is no number: %j',
    async (text) => {
      const { text: made, leftOut } = await pageOf({ ...snapshot(1, [value('A', text)]), metrics: [metric('A')] });
      expect(linesOf(made)).toEqual([]);
      expect(leftOut).toBe(1);
    },
  );

  it('is a label of a series that is 1, if it is a text', async () => {
    const text = await one('VirtProductInfo', 'QEMU 9.0.0', { type: 'string', stat: 'host.product' });
    expect(linesOf(text)).toEqual(['vhostmd_host_virt_product_info{value="QEMU 9.0.0"} 1']);
    expect(text).toContain('# TYPE vhostmd_host_virt_product_info gauge\n');
  });

  it('has the unit and the help of its variable, if it is one of a group', async () => {
    const group = metric('Sizes', { type: 'group', variables: [{ name: 'Big', type: 'uint64', unit: 'MiB' }] });
    const text = await page([group], [value('Big', '1', 'uint64', 'MiB')]);
    expect(text).toContain('# HELP vhostmd_host_big_bytes Big in bytes, from an action of the group Sizes\n');
    expect(linesOf(text)).toEqual(['vhostmd_host_big_bytes 1048576']);
  });

  it('is named by what was printed, if it is one of an xml action', async () => {
    expect(linesOf(await page([metric('X', { type: 'xml' })], [value('Printed', '1', 'uint64', 's')]))).toEqual([
      'vhostmd_host_printed_seconds 1',
    ]);
  });
});

describe('names that meet', () => {
  it('get a number, in the order of the configuration, whichever of them has a value', async () => {
    const metrics = [metric('CpuTime'), metric('cpu_time'), metric('CPUTime'), metric('cpu_time_2')];
    const all = await page(
      metrics,
      ['CpuTime', 'cpu_time', 'CPUTime', 'cpu_time_2'].map((name, at) => value(name, String(at))),
    );
    expect(linesOf(all)).toEqual([
      'vhostmd_host_cpu_time 0',
      'vhostmd_host_cpu_time_2 1',
      'vhostmd_host_cpu_time_3 2',
      'vhostmd_host_cpu_time_2_2 3',
    ]);
    expect(linesOf(await page(metrics, [value('CPUTime', '2')]))).toEqual(['vhostmd_host_cpu_time_3 2']);
  });

  it('do so before unit and _total', async () => {
    const metrics = [metric('A', { stat: 'host.cpu.time' }), metric('a', { stat: 'host.cpu.user' })];
    expect(linesOf(await page(metrics, [value('A', '1'), value('a', '2')]))).toEqual([
      'vhostmd_host_a_seconds_total 1',
      'vhostmd_host_a_2_seconds_total 2',
    ]);
  });

  it('of one metric that is given twice show the first value, for each VM', async () => {
    const twice = [value('A', '1'), value('A', '2')];
    const { text, leftOut } = await pageOf({
      ...snapshot(1, twice, [ofDomain(1, ...twice), ofDomain(2, ...twice)]),
      metrics: [metric('A'), metric('A')],
    });
    expect(linesOf(text).map((line) => line.at(-1))).toEqual(['1', '1', '1']);
    expect(leftOut).toBe(3);
    expect(promtool(text)).toEqual({ status: 0, said: '' });
  });

  it('of host and VM do not meet', async () => {
    const metrics = [metric('A'), metric('A', { context: 'vm' })];
    const text = await page(metrics, [value('A', '1')], [ofDomain(1, value('A', '2'))]);
    expect(linesOf(text)).toEqual([
      'vhostmd_host_a 1',
      'vhostmd_vm_a{domain="vm1",uuid="6be3fdb8-bef5-6fec-b1b7-000000000001"} 2',
    ]);
  });

  it('that actions print without end use no memory without end, and never stand twice on a page', async () => {
    const metrics = [metric('X', { type: 'xml' })];
    for (let round = 0; round < 5; round += 1) {
      const text = await page(
        metrics,
        Array.from({ length: 700 }, (_, at) => value(`N${round}x${at}`, '1')),
      );
      const heads = text.match(/^# TYPE .*$/gm) ?? [];
      expect(new Set(heads).size).toBe(700);
    }
  });
});

describe('hostile text', () => {
  const hostile = [
    'a"b\\c\nd',
    '"} 1\nvhostmd_vm_a{domain="x',
    '\u001b[2J\u0000\u0007',
    '\u202egnp.exe',
    '\ud800',
    'x'.repeat(5000),
    '😀'.repeat(600),
    'Müller',
  ];
  it.each(hostile)('in the name of a domain stays in its label: %j', async (name) => {
    const named = { ...ofDomain(1, value('A', '1')), domain: { ...ofDomain(1).domain, name } };
    const text = await page([metric('A', { context: 'vm' })], [], [named]);
    expect(linesOf(text)).toHaveLength(1);
    expect(text).toMatch(/,uuid="6be3fdb8-bef5-6fec-b1b7-000000000001"} 1\n$/);
    // oxlint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\ud800](?![\udc00-\udfff])/u);
    expect([...(/domain="(.*)",uuid/.exec(text)?.[1] ?? '')].length).toBeLessThanOrEqual(512);
    expect(promtool(text)).toEqual({ status: 0, said: '' });
  });

  it.each(hostile)('in a value stays in its label: %j', async (text) => {
    const made = await page([metric('A', { type: 'string' })], [sample('A', text)]);
    expect(linesOf(made)).toHaveLength(1);
    expect(promtool(made)).toEqual({ status: 0, said: '' });
  });

  it('is what it was, escaped', async () => {
    const text = await page([metric('A', { type: 'string' })], [sample('A', 'a"b\\c\nd Müller 😀')]);
    expect(linesOf(text)).toEqual(['vhostmd_host_a_info{value="a\\"b\\\\c d Müller 😀"} 1']);
  });
});

describe('what is known of statistics', () => {
  const all = [
    ...STATISTICS.host.map((known) => ({ context: 'host' as const, ...known })),
    ...STATISTICS.vm.map((known) => ({ context: 'vm' as const, ...known })),
  ].map(({ name, ...more }) => ({
    ...more,
    // The # of a device is its index; the statistic summed over all devices (*) is a counter.
    name: name
      .replace(/^(net|block)\.#\./, '$1.*.')
      .replaceAll('#', '0')
      .replaceAll('?', 'word'),
  }));

  it.each(all)('is what the table says: $name', ({ context, name, kind, unit }) => {
    expect(statisticKind(context, name)).toMatchObject({ type: kind, ...(unit === '' ? {} : { unit }) });
  });

  it('is nothing for a field of a newer libvirt', () => {
    expect(statisticKind('vm', 'net.0.rx.news')).toEqual({ type: 'untyped' });
  });

  it('is of units that are known', () => {
    for (const { context, name } of all) {
      const { unit } = statisticKind(context, name);
      if (unit !== undefined) expect(unitOf(unit).name).toMatch(/^(bytes|seconds|ratio|bytes_per_second|per_second)$/);
    }
  });
});

describe.each(['conf/vhostmd.xml', 'conf/suse.xml'])('the page of %s', (file) => {
  const read = readConfig(file);
  if (!read.ok) throw new Error('the preset cannot be read');
  const { metrics } = read.value;
  const samples = (context: Context): readonly Sample[] =>
    metrics
      .filter((definition) => definition.context === context)
      .map(({ name, type, unit }) => value(name, type === 'string' ? 'text' : '1', type as ValueType, unit));
  const made: Snapshot = { ...snapshot(1, samples('host'), [ofDomain(1, ...samples('vm'))]), metrics };

  it('is without fault for promtool', async () => {
    expect(promtool((await pageOf(made)).text)).toEqual({ status: 0, said: '' });
  });

  it('has these names', async () => {
    expect((await pageOf(made)).text.match(/^# TYPE .*$/gm)).toMatchSnapshot();
  });
});

describe('CASE C2: names and help', () => {
  it.each<[string, Given, string]>([
    ['host_name', { type: 'string' }, 'vhostmd_host_name_info'],
    ['HostHostName', { type: 'string' }, 'vhostmd_host_name_info'],
    ['host.cpu.time', { stat: 'host.cpu.time' }, 'vhostmd_host_cpu_time_seconds_total'],
    ['vm_total_io', { context: 'vm', stat: 'block.*.rd.bytes' }, 'vhostmd_vm_io_bytes_total'],
    ['vhostmd_vm_x', { context: 'vm' }, 'vhostmd_vm_x'],
    ['host', {}, 'vhostmd_host_host'],
    ['state.state', { context: 'vm', stat: 'state.state' }, 'vhostmd_vm_state'],
    ['numa 0 0', {}, 'vhostmd_host_numa_0_0'],
    ['SizeHistogramMax', {}, 'vhostmd_host_size_max'],
    ['total', { stat: 'host.cpu.time' }, 'vhostmd_host_count_seconds_total'],
    ['SystemInfo', { type: 'string' }, 'vhostmd_host_system_info'],
    ['MemoryKiB', { stat: 'host.memory.free' }, 'vhostmd_host_memory_bytes'],
    ['UsedMiB', { unit: 'MiB' }, 'vhostmd_host_used_bytes'],
    [
      'dirtyrate.megabytes_per_second',
      { context: 'vm', stat: 'dirtyrate.megabytes_per_second' },
      'vhostmd_vm_dirtyrate_bytes_per_second',
    ],
    ['latency_min', { context: 'vm', stat: 'block.0.timed_group.0.rd_latency_min' }, 'vhostmd_vm_latency_min_seconds'],
    [
      'iothread.0.poll-max-ns',
      { context: 'vm', stat: 'iothread.0.poll-max-ns' },
      'vhostmd_vm_iothread_0_poll_max_seconds',
    ],
  ])('%s %j is %s', (name, given, expected) => {
    const definition = metric(name, given);
    const samples = [value(name, given.type === 'string' ? 'x' : '1', definition.type as ValueType, given.unit)];
    const { families } = snapshotFamilies({
      ...snapshot(1, given.context === 'vm' ? [] : samples, given.context === 'vm' ? [ofDomain(1, ...samples)] : []),
      metrics: [definition],
    });
    expect(families.map(({ name: shown }) => shown)).toEqual([expected]);
  });

  it('no name of a statistic says a word of its prefix or end twice, and promtool finds no fault', async () => {
    const stats = [
      ...STATISTICS.host.map((known) => ({ context: 'host' as const, ...known })),
      ...STATISTICS.vm.map((known) => ({ context: 'vm' as const, ...known })),
    ].map((known) => ({ ...known, name: known.name.replaceAll('#', '0').replaceAll('?', 'word') }));
    const metrics = stats.map(({ name, type, context }) => metric(name, { type, context, stat: name }));
    const samples = (context: Context): readonly Sample[] =>
      stats.filter((known) => known.context === context).map(({ name, type }) => value(name, '1', type));
    const text = await page(metrics, samples('host'), [ofDomain(1, ...samples('vm'))]);
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name);
    expect(names).toHaveLength(stats.length);
    expect(
      names.filter((name) => /(host_host|vm_vm|total_.*_total|_(\w+)_\2)(_|$)|Ki?B|ns_seconds/.test(name)),
    ).toEqual([]);
    expect(text.match(/^# HELP .* in (KiB|MiB|ns|kB)\b.*$/gm) ?? []).toEqual([]);
    expect(promtool(text)).toEqual({ status: 0, said: '' });
  });

  it('HELP has the unit of the value, whatever unit and scale the configuration gives', async () => {
    const text = await one('Swapped', '3', { unit: 'MiB', stat: 'host.swap.in', scale: 1 / 1024 });
    expect(text).toContain('# HELP vhostmd_host_swapped_bytes_total Swapped in bytes, from statistic host.swap.in\n');
    const share = await one('Busy', '50', { unit: '%' });
    expect(share).toContain('# HELP vhostmd_host_busy_ratio Busy as a ratio, from an action\n');
  });
});

describe('CASE C4: a unit', () => {
  it.each(['k', 'K', 'kB', 'KB', 'KiB', 'kib', 'MB', 'MiB', 'm', 'GB', 'TiB', 'B', 'bytes'])(
    '%s of memory means the same to Prometheus and to watch',
    async (unit) => {
      const watched = meanings()('vm', { name: 'Anything', type: 'uint64', unit });
      const shown = linesOf(await one('Anything', '1', { unit }))[0] ?? '';
      expect(watched.memory).toBe(true);
      expect(shown).toBe(`vhostmd_host_anything_bytes ${watched.factor}`);
      if (/^k/i.test(unit)) expect(watched.factor).toBe(1024);
    },
  );

  it.each(['ns', 'usec', 'ms', 'msec', 's', 'secs', 'min', 'h', 'd', 'days', '\u00b5s', '\u03bcs'])(
    '%s of time means the same to Prometheus and to watch',
    async (unit) => {
      const { factor } = meanings()('host', { name: 'TotalCPUTime', type: 'uint64', unit });
      expect(linesOf(await one('x', '1', { unit }))).toEqual([`vhostmd_host_x_seconds ${factor}`]);
    },
  );
});

describe('CASE C1: a counter never falls but to start anew', () => {
  const series = (definition: MetricDefinition, of: (text: string) => Snapshot) => {
    const steadied = steadiedCounters();
    return (text: string): number =>
      snapshotFamilies({ ...of(text), metrics: [definition] }, steadied).families[0]?.series[0]?.value ?? NaN;
  };
  it.each(['iowait', 'idle', 'time', 'steal'])('host.cpu.%s that falls is held until it is passed', (name) => {
    const definition = metric('A', { type: 'real64', stat: `host.cpu.${name}` });
    const shown = series(definition, (text) => snapshot(1, [value('A', text, 'real64')]));
    expect(['174.71', '174.70', '174.70', '174.71', '174.72', '0.01', '0.02'].map(shown)).toEqual([
      174.71, 174.71, 174.71, 174.71, 174.72, 0.01, 0.02,
    ]);
  });

  it.each(['block.*.rd.bytes', 'net.*.rx.bytes', 'vcpu.*.wait', 'block.*.fl.reqs'])(
    'the sum %s keeps what a detached device had, and starts anew with the VM',
    (stat) => {
      const definition = metric('A', { context: 'vm', stat });
      let id = 1;
      const shown = series(definition, (text) =>
        snapshot(1, [], [{ ...ofDomain(1, value('A', text)), domain: { ...ofDomain(1).domain, id } }]),
      );
      const factor = stat.endsWith('wait') ? 1e-9 : 1;
      const seen = ['512', '0', '100', '50', '60'].map(shown);
      expect(seen.map((number) => Math.round(number / factor))).toEqual([512, 512, 612, 612, 622]);
      id = 2;
      expect(Math.round(shown('7') / factor)).toBe(7);
    },
  );

  it('the sum of a VM that is paused meanwhile goes on', () => {
    const definition = metric('A', { context: 'vm', stat: 'block.*.rd.bytes' });
    const steadied = steadiedCounters();
    const { domain } = ofDomain(1);
    const domains = [{ ...domain, persistent: true }];
    const shown = (text?: string): number | undefined =>
      snapshotFamilies(
        {
          ...snapshot(1, [], text === undefined ? [] : [ofDomain(1, value('A', text))]),
          metrics: [definition],
          domains,
        },
        steadied,
      ).families[0]?.series[0]?.value;
    expect([shown('9'), shown('4'), shown(), shown('5')]).toEqual([9, 9, undefined, 10]);
  });

  it.each(['block.0.rd.bytes', 'net.1.tx.pkts', 'block.12.wr.times'])(
    '%s is a gauge: the number is a position, and another device moves there',
    async (stat) => {
      const definition = metric('A', { context: 'vm', stat });
      const text = await page([definition], [], [ofDomain(1, value('A', '5'))]);
      expect(text).toMatch(/^# TYPE vhostmd_vm_a\w* gauge$/m);
      expect(text).not.toContain('_total');
    },
  );
});
