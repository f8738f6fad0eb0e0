import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import fc from 'fast-check';
import { asyncScheduler, lastValueFrom, of, toArray, VirtualTimeScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Domain, MetricDefinition, Outcome, Reading, ValueType } from '../../../src/model/metric.ts';
import { hostStats, type HostStatsOptions } from '../../../src/sources/host/host-stats.ts';
import { failure, success } from '../../../src/model/result.ts';
import { STATISTICS } from '../../../src/model/statistics.ts';
import { checkValue } from '../../../src/model/value.ts';
import { domain } from '../fake-libvirt.ts';

const FILES: Readonly<Record<string, string>> = {
  'proc/stat': 'cpu  80000 4000 660 900000 1200 30 70 55 79000 100\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5 0\nctxt 99\n',
  'proc/meminfo':
    'MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    9000000 kB\nBuffers:  5 kB\n' +
    'Cached:          7000000 kB\nSwapCached:  3 kB\nSwapTotal:       2000000 kB\nSwapFree:        1500000 kB\n',
  'proc/vmstat': 'nr_free_pages 5\npgpgin 50000\npgpgout 70000\npswpin 11\npswpout 13\npgfault 9000\n',
  'proc/uptime': '100.50 300.00\n',
  'proc/loadavg': '0.52 0.58 0.59 1/893 12345\n',
  'proc/sys/kernel/hostname': 'host7.example.org\n',
  'proc/pressure/cpu':
    'some avg10=1.25 avg60=2.50 avg300=3.00 total=1234567\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  'proc/pressure/io':
    'some avg10=0.10 avg60=0.20 avg300=0.30 total=5\nfull avg10=4.00 avg60=5.00 avg300=6.00 total=7000000\n',
  'proc/pressure/memory': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  'etc/os-release': 'PRETTY_NAME="Other"\nNAME="Example \\"Linux\\""\nVENDOR_NAME=No\nID=example\n',
  'sys/devices/system/cpu/online': '0-3,5,8-9\n',
};

let root = '';
const put = (path: string, text: string | Uint8Array): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vhostmd-host-'));
  for (const [path, text] of Object.entries(FILES)) put(path, text);
});
afterEach(() => rmSync(root, { recursive: true }));

const statMetric = (stat: string, rest: Partial<MetricDefinition> = {}): MetricDefinition => ({
  index: 0,
  name: 'Test',
  type: STATISTICS.host.find(({ name }) => name === stat)?.type ?? 'string',
  context: 'host',
  source: { kind: 'stat', stat },
  variables: [],
  every: 1,
  timeout: 5000,
  place: { file: 'vhostmd.conf', line: 1, column: 1 },
  ...rest,
});
const facts$ = () =>
  of({
    'host.product': { ok: true, value: 'QEMU 7.2.22' },
    'host.libvirt.hostname': { ok: true, value: 'host7.example.org' },
    'host.cpus': { ok: true, value: 6 },
  } as const);
const load$ = () => of(success({ vcpus: 9, memory: 24_000_000 }));
const fixture = (options: Partial<HostStatsOptions> = {}) =>
  hostStats({ facts$, load$, scheduler: asyncScheduler, wallClock: () => 1_700_000_000_999, root, ...options });
const valueOf = (outcome: Outcome | undefined): string | undefined =>
  outcome?.ok === true ? outcome.samples[0]?.value : outcome?.reason;
const ask = async (
  source: ReturnType<typeof hostStats>,
  metrics: readonly MetricDefinition[],
): Promise<readonly Reading[]> => {
  const batches = await lastValueFrom(source(metrics, []).pipe(toArray()));
  expect(batches).toHaveLength(1);
  return batches[0]!;
};
const read = async (stat: string, options: Partial<HostStatsOptions> = {}, rest: Partial<MetricDefinition> = {}) =>
  valueOf((await ask(fixture(options), [statMetric(stat, rest)]))[0]?.outcome);

describe('a statistic of the host', () => {
  it.each([
    ['host.hostname', 'host7.example.org'],
    ['host.hostname.short', 'host7'],
    ['host.time', '1700000000'],
    ['host.uptime', '100.500000'],
    ['host.vendor', 'Example "Linux"'],
    ['host.product', 'QEMU 7.2.22'],
    ['host.libvirt.hostname', 'host7.example.org'],
    ['host.cpus', '6'],
    ['host.memory.total', '16000000'],
    ['host.memory.used', '7000000'],
    ['host.memory.free', '1000000'],
    ['host.memory.available', '9000000'],
    ['host.swap.total', '2000000'],
    ['host.swap.used', '500000'],
    ['host.swap.free', '1500000'],
    ['host.swap.in', '44'],
    ['host.swap.out', '52'],
    ['host.virtual.used', '7500000'],
    ['host.virtual.free', '2500000'],
    ['host.paging.in', '50000'],
    ['host.paging.out', '70000'],
    ['host.cpu.time', '846.600000'],
    ['host.cpu.user', '800.000000'],
    ['host.cpu.nice', '40.000000'],
    ['host.cpu.system', '6.600000'],
    ['host.cpu.idle', '9000.000000'],
    ['host.cpu.iowait', '12.000000'],
    ['host.cpu.irq', '1.000000'],
    ['host.cpu.steal', '0.550000'],
    ['host.load.1', '0.520000'],
    ['host.load.5', '0.580000'],
    ['host.load.15', '0.590000'],
    ['host.pressure.cpu.some.avg10', '1.250000'],
    ['host.pressure.cpu.some.avg60', '2.500000'],
    ['host.pressure.cpu.some.avg300', '3.000000'],
    ['host.pressure.cpu.some.total', '1.234567'],
    ['host.pressure.io.full.avg10', '4.000000'],
    ['host.pressure.io.full.total', '7.000000'],
    ['host.pressure.memory.some.avg10', '0.000000'],
  ])('%s is read', async (stat, expected) => {
    expect(await read(stat)).toBe(expected);
  });

  it('has what the running VMs may use, by what the host has', async () => {
    const asked: (readonly Domain[])[] = [];
    const source = fixture({
      load$: (running) => {
        asked.push(running);
        return load$();
      },
    });
    const vms = [domain('a'), domain('b')];
    const metrics = [statMetric('host.overcommit.cpus'), statMetric('host.overcommit.memory')];
    const values = async (...parts: Parameters<typeof source>) =>
      (await lastValueFrom(source(...parts))).map(({ outcome }) => valueOf(outcome));
    expect(await values(metrics, vms)).toEqual(['1.500000', '150.000000']);
    expect(await values([statMetric('host.load.1')], vms)).toEqual(['0.520000']);
    expect(asked).toEqual([vms]);
    expect(await values(metrics)).toEqual(Array.from({ length: 2 }, () => 'libvirt is not connected'));
    const silent = fixture({ load$: () => of(failure('no answer')) });
    expect((await lastValueFrom(silent(metrics, []))).map(({ outcome }) => valueOf(outcome))).toEqual([
      'no answer',
      'no answer',
    ]);
  });

  it('takes the type, unit and scale of its metric', async () => {
    const metric = statMetric('host.memory.used', {
      name: 'Used',
      type: 'uint64',
      unit: 'MiB',
      source: { kind: 'stat', stat: 'host.memory.used', scale: 1 / 1024 },
    });
    expect(await ask(fixture(), [metric])).toEqual([
      { metric, outcome: { ok: true, samples: [{ name: 'Used', type: 'uint64', unit: 'MiB', value: '6835' }] } },
    ]);
    expect(await read('host.load.1', {}, { type: 'uint32' })).toBe('0');
    expect(await read('host.hostname', {}, { type: 'uint32' })).toBe('"host7.example.org" is not a number for uint32');
  });

  it('CASE B9: counts swapped pages and CPU ticks in the sizes that the machine has', async () => {
    const machine = { pageSize: () => 65_536, clockTicks: () => 1000 };
    expect(await read('host.swap.in', { machine })).toBe(String(11 * 64));
    expect(await read('host.swap.out', { machine })).toBe(String(13 * 64));
    expect(await read('host.cpu.time', { machine })).toBe('84.660000');
  });

  it('CASE B9: has no value where the size of a page is not known, and says so', async () => {
    const unknown = (): number => {
      throw new Error('sysconf does not know the size of a page');
    };
    const machine = { pageSize: unknown, clockTicks: () => 100 };
    expect(await read('host.swap.in', { machine })).toBe('sysconf does not know the size of a page');
    expect(await read('host.paging.in', { machine })).toBe('50000');
  });

  it('is a number of CPUs also while libvirt is away', async () => {
    expect(await read('host.cpus', { facts$: () => of(undefined) })).toBe('7');
    rmSync(join(root, 'sys'), { recursive: true });
    expect(await read('host.cpus', { facts$: () => of(undefined) })).toBe(String(availableParallelism()));
  });

  it("CASE B2: names the distribution's vendor, or the distribution where it names none", async () => {
    put('etc/os-release', 'NAME="SLES"\nVENDOR_NAME="SUSE LLC"\n');
    expect(await read('host.vendor.name')).toBe('SUSE LLC');
    expect(await read('host.vendor')).toBe('SLES');
    put('etc/os-release', 'NAME="SLES"\n');
    expect(await read('host.vendor.name')).toBe('SLES');
    put('etc/os-release', 'ID=x\nVENDOR_NAME=\n');
    expect(await read('host.vendor.name')).toBe('Linux');
  });

  it('CASE B11: is Linux where os-release has no NAME, or is missing, as os-release(5) says', async () => {
    for (const text of ['ID=x\n', '', 'NAME=\n', '# NAME=x\n']) {
      put('etc/os-release', text);
      expect(await read('host.vendor'), text).toBe('Linux');
    }
    rmSync(join(root, 'etc/os-release'));
    expect(await read('host.vendor')).toBe('Linux');
  });

  it.each([
    ['NAME=Fedora\n', 'Fedora'],
    ["ID=x\nNAME='openSUSE Leap'\n", 'openSUSE Leap'],
    ['NAME="A\\$B"\r\n', 'A$B'],
  ])('finds the vendor in %j', async (text, expected) => {
    put('etc/os-release', text);
    expect(await read('host.vendor')).toBe(expected);
  });

  it("finds the distribution's own file where /etc has none", async () => {
    rmSync(join(root, 'etc/os-release'));
    put('usr/lib/os-release', 'NAME=Fallback\n');
    expect(await read('host.vendor')).toBe('Fallback');
  });
});

describe('a rate', () => {
  const faults = (pgfault: number): void => put('proc/vmstat', `pgfault ${pgfault}\npgpgin 0\n`);
  const metric = statMetric('host.paging.faults.rate');

  it('is per second since boot at first, then since the batch before', async () => {
    const scheduler = new VirtualTimeScheduler();
    const source = fixture({ scheduler });
    faults(1005);
    const rate = async (): Promise<string | undefined> => valueOf((await ask(source, [metric]))[0]?.outcome);
    expect(await rate()).toBe('10.000000');
    scheduler.frame = 5000;
    faults(1505);
    expect(await rate()).toBe('100.000000');
    expect(await rate(), 'at the same instant').toBe('100.000000');
    scheduler.frame = 7000;
    faults(1505);
    expect(await rate()).toBe('0.000000');
    scheduler.frame = 8000;
    faults(5);
    expect(await rate(), 'of a counter that went back').toBe('0.000000');
    scheduler.frame = 9000;
    faults(12);
    expect(await rate()).toBe('7.000000');
  });

  it('of a metric with a longer period counts over that period', async () => {
    const scheduler = new VirtualTimeScheduler();
    const source = fixture({ scheduler });
    const slow = statMetric('host.paging.faults.rate', { index: 1, every: 2 });
    faults(1000);
    await ask(source, [metric, slow]);
    scheduler.frame = 1000;
    faults(1100);
    expect((await ask(source, [metric])).map(({ outcome }) => valueOf(outcome))).toEqual(['100.000000']);
    scheduler.frame = 2000;
    faults(1400);
    expect((await ask(source, [metric, slow])).map(({ outcome }) => valueOf(outcome))).toEqual([
      '300.000000',
      '200.000000',
    ]);
  });
});

// Expected values for odd lines: those of procps (free(1), vmstat(8)), where they are possible.
const WRAPPED = '18014398509481884';
const ODD: readonly (readonly [string, Readonly<Record<string, string>>, Readonly<Record<string, string>>])[] = [
  [
    'more available than there is (LXC, lxcfs): as procps, it is what is free',
    { MemAvailable: '16000095' },
    { available: '1000000', used: '15000000', 'virtual.used': '15500000', 'virtual.free': '2500000' },
  ],
  [
    'available wrapped below 0: as procps',
    { MemAvailable: WRAPPED },
    { available: '1000000', used: '15000000', 'virtual.used': '15500000' },
  ],
  [
    'more available and more free than there is',
    { MemAvailable: '16000095', MemFree: '99000000' },
    { available: '16000000', free: '16000000', used: '0', 'virtual.used': '500000', 'virtual.free': '17500000' },
  ],
  ['all available', { MemAvailable: '16000000' }, { available: '16000000', used: '0', 'virtual.used': '500000' }],
  [
    'free memory wrapped below 0',
    { MemFree: WRAPPED },
    { free: '0', available: '9000000', used: '7000000', 'virtual.free': '1500000' },
  ],
  [
    'free swap wrapped below 0: none is free',
    { SwapFree: WRAPPED },
    { 'swap.free': '0', 'swap.used': '2000000', 'virtual.free': '1000000', 'virtual.used': '9000000' },
  ],
  [
    'free swap beyond all that can be',
    { SwapFree: '18014398509490396' },
    { 'swap.free': '0', 'swap.used': '2000000', 'virtual.free': '1000000' },
  ],
  [
    'free swap wrapped in 64 bits',
    { SwapFree: '18446744073709551516' },
    { 'swap.free': '0', 'swap.used': '2000000', 'virtual.free': '1000000' },
  ],
  [
    'more swap free than there is',
    { SwapFree: '2000001' },
    { 'swap.free': '2000000', 'swap.used': '0', 'virtual.free': '3000000', 'virtual.used': '7000000' },
  ],
  [
    'free swap where there is none (a container without swap)',
    { SwapTotal: '0' },
    { 'swap.free': '0', 'swap.used': '0', 'virtual.free': '1000000', 'virtual.used': '7000000' },
  ],
];

describe('figures of the kernel that cannot be', () => {
  it.each(ODD)('CASE B3: %s', async (_what, lines, expected) => {
    let text = FILES['proc/meminfo']!;
    for (const [name, count] of Object.entries(lines))
      text = text.replace(new RegExp(`^${name}:.*$`, 'm'), `${name}: ${count} kB`);
    put('proc/meminfo', text);
    const got: Record<string, string | undefined> = {};
    for (const name of Object.keys(expected))
      got[name] = await read(`host.${name.includes('.') ? '' : 'memory.'}${name}`);
    expect(got).toEqual(expected);
  });

  it('CASE B3: a counter below 0 counts as 0, in sums and rates, too', async () => {
    put('proc/stat', 'cpu  80000 18446744073709551600 660 900000 1200 30 70 18446744073709551611 0 0\n');
    put('proc/vmstat', 'pgpgin 18446744073709551615\npgpgout 5\npswpin 18446744073709551000\npgfault 9\n');
    expect(await read('host.cpu.time')).toBe('806.600000');
    expect(await read('host.cpu.steal')).toBe('0.000000');
    expect(await read('host.paging.in')).toBe('0');
    expect(await read('host.paging.in.rate')).toBe('0.000000');
    expect(await read('host.swap.in')).toBe('0');
  });

  it('CASE B3: whatever meminfo says, nothing is left out, below 0 or more than the whole', async () => {
    const count = fc.oneof(fc.nat(3000), fc.bigInt(2n ** 53n, 2n ** 64n - 1n), fc.constantFrom('0', WRAPPED));
    const names = ['MemTotal', 'MemFree', 'MemAvailable', 'SwapTotal', 'SwapFree'] as const;
    const odd = fc.tuple(fc.nat(2000), count, count, fc.nat(2000), count);
    await fc.assert(
      fc.asyncProperty(odd, async (counts) => {
        put('proc/meminfo', names.map((name, index) => `${name}: ${counts[index]} kB\n`).join(''));
        const [memory, , , swap] = counts;
        for (const [stats, most] of [
          [['memory.used', 'memory.free', 'memory.available'], memory],
          [['swap.used', 'swap.free'], swap],
          [['virtual.used', 'virtual.free'], memory + swap],
        ] as const)
          for (const stat of stats) {
            const value = Number(await read(`host.${stat}`));
            expect(value >= 0 && value <= most, `${stat} ${value} of ${counts.join(' ')}`).toBe(true);
          }
      }),
      { numRuns: 200 },
    );
  });
});

describe('a statistic that cannot be had', () => {
  it.each([
    ['host.pressure.memory.full.avg10', '/proc/pressure/memory has no full avg10; the kernel is too old for it'],
    ['host.nonsense', 'the host has no statistic host.nonsense'],
  ])('%s has a reason', async (stat, reason) => {
    expect(await ask(fixture(), [statMetric(stat)])).toMatchObject([{ outcome: { ok: false, stage: 'stat', reason } }]);
  });

  it('has the reason that libvirt is away, or the missing file, and the others keep their values', async () => {
    rmSync(join(root, 'proc/pressure'), { recursive: true });
    rmSync(join(root, 'proc/stat'));
    put('proc/meminfo', 'MemTotal: 5 kB\nMemFree:\n');
    const stats = [
      'host.product',
      'host.pressure.io.some.avg10',
      'host.cpu.time',
      'host.memory.used',
      'host.memory.free',
    ];
    const readings = await ask(
      fixture({ facts$: () => of(undefined) }),
      [...stats, 'host.load.1'].map((stat) => statMetric(stat)),
    );
    expect(readings.map(({ outcome }) => valueOf(outcome))).toEqual([
      'libvirt is not connected',
      '/proc/pressure/io cannot be read (ENOENT); pressure needs Linux 4.20 or later, perhaps booted with psi=1',
      '/proc/stat cannot be read (ENOENT)',
      '/proc/meminfo has no line MemAvailable',
      '/proc/meminfo has no number in line MemFree',
      '0.520000',
    ]);
  });

  it('is refused if it is no single value', async () => {
    const metric = statMetric('host.load.1', { type: 'group' });
    expect((await ask(fixture(), [metric]))[0]?.outcome).toMatchObject({ ok: false, stage: 'stat' });
  });
});

describe('a batch', () => {
  it('reads only the files that it needs', async () => {
    for (const path of Object.keys(FILES)) if (path !== 'proc/meminfo') rmSync(join(root, path));
    const source = fixture();
    const readings = await ask(
      source,
      ['host.memory.total', 'host.memory.free'].map((stat) => statMetric(stat)),
    );
    expect(readings.every(({ outcome }) => outcome.ok)).toBe(true);
  });

  it('is cold, and fresh for each subscriber', async () => {
    const batch$ = fixture()([statMetric('host.load.1')]);
    put('proc/loadavg', '9.00 0 0 1/1 1\n');
    expect(valueOf((await lastValueFrom(batch$))[0]?.outcome)).toBe('9.000000');
    put('proc/loadavg', '8.00 0 0 1/1 1\n');
    expect(valueOf((await lastValueFrom(batch$))[0]?.outcome)).toBe('8.000000');
  });

  it('has each known name on this machine: a value of its type, or a reason', async () => {
    const source = hostStats({ facts$, load$, scheduler: asyncScheduler });
    const metrics = STATISTICS.host.map(({ name, type }, index) => statMetric(name, { index, name, type }));
    const readings = await ask(source, metrics);
    expect(readings.map(({ metric }) => metric)).toEqual(metrics);
    for (const { metric, outcome } of readings) {
      if (outcome.ok) {
        const [sample, ...more] = outcome.samples;
        expect(more).toEqual([]);
        expect(checkValue(metric.type as ValueType, sample!.value)).toEqual({ ok: true, value: sample!.value });
      } else {
        expect(metric.name).toMatch(/^host\.pressure\./);
        expect(outcome.reason).toMatch(/^\/proc\/pressure\/\w+ /);
      }
    }
    const value = (name: string) => valueOf(readings.find(({ metric }) => metric.name === name)?.outcome);
    expect(value('host.hostname')).toBe(hostname());
    expect(value('host.memory.total')).toBe(/MemTotal: +(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
    expect(Math.abs(Number(value('host.time')) - Date.now() / 1000)).toBeLessThan(60);
  });
});
