import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { firstValueFrom, NEVER, type Observable, of, toArray, VirtualTimeScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Domain, MetricDefinition, Reading } from '../../../src/model/metric.ts';
import { STATISTICS } from '../../../src/model/statistics.ts';
import { contentionCollectors } from '../../../src/sources/contention/contention-stats.ts';
import { memoryByNode } from '../../../src/sources/contention/numa.ts';
import { READERS } from '../../../src/sources/contention/readers.ts';
import type { QemuProcess } from '../../../src/sources/libvirt/qemu-process.ts';
import type { Connection } from '../../../src/sources/libvirt/types.ts';
import { openFiles } from '../../../src/testing/contract.ts';
import { limitDescriptors } from '../../support/descriptor-limit.ts';
import { domain, fakeConnection, statMetric, statsOf } from '../fake-libvirt.ts';

const NAMES: readonly string[] = Object.keys(READERS);
const typeOf = (name: string) => STATISTICS.vm.find((one) => one.name === name)?.type ?? 'uint64';
const VM = domain('g', 7);
const GROUP = 'machine/qemu-7-g.libvirt-qemu';

let top = '';
let clock = new VirtualTimeScheduler();
beforeEach(() => {
  top = mkdtempSync(path.join(tmpdir(), 'vhostmd-contention-'));
  clock = new VirtualTimeScheduler();
});
afterEach(() => rmSync(top, { recursive: true }));

const write = (name: string, text: string): void => {
  mkdirSync(path.dirname(path.join(top, name)), { recursive: true });
  writeFileSync(path.join(top, name), text);
};
const remove = (name: string): void => rmSync(path.join(top, name), { recursive: true });
const writeThread = (tid: number, comm: string, delay: number): void => {
  write(`proc/42/task/${tid}/comm`, `${comm}\n`);
  write(`proc/42/task/${tid}/schedstat`, `1000 ${delay} 5\n`);
};
/** Writes two NUMA nodes of two CPUs each, and that both virtual CPUs, which may run anywhere, ran on the first. */
const runNodes = (): void => {
  write('sys/devices/system/node/node0/cpulist', '0-1\n');
  write('sys/devices/system/node/node1/cpulist', '2-3\n');
  for (const [tid, cpu] of [
    [43, 0],
    [44, 1],
  ] as const)
    place(tid, '0-3', cpu);
};
/** Writes on which CPUs a thread may run, and on which it ran last. */
const place = (tid: number, allowed: string, last: number): void => {
  write(`proc/42/task/${tid}/status`, `Name:\tCPU\nCpus_allowed_list:\t${allowed}\n`);
  write(`proc/42/task/${tid}/stat`, `${tid} (CPU) 0/K) S ${'0 '.repeat(35)}${last} 0 0\n`);
};
const pressureText = (some: number): string =>
  `some avg10=${some}.50 avg60=0.00 avg300=0.00 total=${some}000000\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=500000\n`;

/** Writes the files of a process, and of its control group of version 2. */
const runVersion2 = (): void => {
  write('proc/self/mountinfo', `30 24 0:26 / ${top}/cg rw - cgroup2 cgroup2 rw\n`);
  write('proc/42/cgroup', `0::/${GROUP}/libvirt/emulator\n`);
  write('proc/42/status', 'Name:\tqemu\nVmRSS:\t   9000 kB\nVmSwap:\t     640 kB\n');
  writeThread(42, 'qemu-system-x86', 10);
  writeThread(43, 'CPU 0/KVM', 100);
  writeThread(44, 'CPU 1/KVM', 200);
  write(`cg/${GROUP}/cpu.stat`, 'usage_usec 9\nnr_periods 1\nnr_throttled 1\nthrottled_usec 5\n');
  for (const vcpu of [0, 1])
    write(`cg/${GROUP}/libvirt/vcpu${vcpu}/cpu.stat`, 'nr_periods 10\nnr_throttled 4\nthrottled_usec 1000\n');
  write(`cg/${GROUP}/memory.stat`, 'anon 9\nanon_thp 4194304\nworkingset_refault_anon 3\nworkingset_refault_file 4\n');
  runNodes();
  write(`cg/${GROUP}/memory.numa_stat`, 'anon N0=300 N1=100\nfile N0=0 N1=0\nanon_thp N0=0 N1=300\n');
  write(`cg/${GROUP}/memory.events`, 'low 9\nhigh 5\nmax 6\noom 7\noom_kill 1\noom_group_kill 0\n');
  for (const [at, resource] of ['cpu', 'memory', 'io'].entries())
    write(`cg/${GROUP}/${resource}.pressure`, pressureText(at + 1));
};

/** Process 42 as long as `isRunning`, and its callbacks. */
const qemu = () => {
  const closing: (() => void)[] = [];
  const state = { isRunning: true };
  const process: QemuProcess = {
    pid: '42',
    cpuTime: () => (state.isRunning ? 1n : undefined),
    close: () => closing.forEach((close) => close()),
    onClose: (close) => void closing.push(close),
  };
  return { process, state };
};

const collector = (calls: Partial<Connection>, names: readonly string[] = NAMES) => {
  const metrics = names.map((name, index): MetricDefinition => statMetric(name, typeOf(name), index));
  const link = { up: true, connection: fakeConnection(calls) } as const;
  const [only] = contentionCollectors(metrics, of(link), clock, path.join(top, 'proc'));
  return async (...domains: readonly Domain[]): Promise<readonly Reading[]> =>
    (await firstValueFrom(only!.collect$(domains).pipe(toArray()))).flat();
};
const valuesOf = (readings: readonly Reading[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readings.map(({ metric, outcome }) => [
      metric.name.replace('contention.', ''),
      outcome.ok ? (outcome.samples[0]?.value ?? '') : outcome.reason,
    ]),
  );
/** Returns a function that collects of the VM at a time, in milliseconds, and returns the values. */
const valuesAt = (collect: ReturnType<typeof collector>) => async (ms: number) => {
  clock.frame = ms;
  return Object.values(valuesOf(await collect(VM)));
};

describe('Statistics of contention', () => {
  it('come from the files of the process and of its control group of version 2', async () => {
    runVersion2();
    const { process } = qemu();
    const values = valuesOf(await collector({ process: () => process })(VM));
    expect(values).toEqual({
      time: '0',
      'cpu.delay': '300',
      'cpu.delay.other': '10',
      'memory.swapped': '640',
      'quota.periods': '21',
      'quota.throttled': '9',
      'quota.time': '2005000',
      'memory.refaults': '7',
      'memory.huge': '4096',
      'memory.remote': '25.000000',
      'memory.high': '5',
      'memory.max': '6',
      'memory.oom': '1',
      'pressure.cpu.some.avg10': '1.500000',
      'pressure.cpu.some.total': '1.000000',
      'pressure.cpu.full.avg10': '0.250000',
      'pressure.cpu.full.total': '0.500000',
      'pressure.memory.some.avg10': '2.500000',
      'pressure.memory.some.total': '2.000000',
      'pressure.memory.full.avg10': '0.250000',
      'pressure.memory.full.total': '0.500000',
      'pressure.io.some.avg10': '3.500000',
      'pressure.io.some.total': '3.000000',
      'pressure.io.full.avg10': '0.250000',
      'pressure.io.full.total': '0.500000',
    });
    process.close();
  });

  it('come from version 1 as well, without what only version 2 has', async () => {
    runVersion2();
    write(
      'proc/self/mountinfo',
      `1 2 0:1 / ${top}/cpu rw - cgroup cgroup rw,cpu\n1 2 0:1 / ${top}/m rw - cgroup cgroup rw,memory\n`,
    );
    write('proc/42/cgroup', `2:memory:/${GROUP}\n1:cpu:/${GROUP}/emulator\n0::/user.slice\n`);
    write(`cpu/${GROUP}/cpu.stat`, 'nr_periods 0\nnr_throttled 0\nthrottled_time 0\n');
    write(`cpu/${GROUP}/vcpu0/cpu.stat`, 'nr_periods 20\nnr_throttled 5\nthrottled_time 77000\n');
    write(
      `m/${GROUP}/memory.stat`,
      'rss_huge 0\nworkingset_refault_anon 0\ntotal_rss_huge 2097152\ntotal_workingset_refault_anon 8\ntotal_workingset_refault_file 1\n',
    );
    write(`m/${GROUP}/memory.failcnt`, '3\n');
    write(`m/${GROUP}/memory.oom_control`, 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n');
    const { process } = qemu();
    const noPressure = 'this host has no unified hierarchy of control groups (cgroup v2)';
    expect(valuesOf(await collector({ process: () => process })(VM))).toMatchObject({
      'quota.periods': '20',
      'quota.time': '77000',
      'memory.refaults': '9',
      'memory.huge': '2048',
      'memory.high': 'the kernel of the host does not have it',
      'memory.max': '3',
      'memory.oom': '2',
      'pressure.cpu.some.avg10': noPressure,
    });
    process.close();
  });

  it('never count a thread twice or backwards, and find new threads within a minute', async () => {
    runVersion2();
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.cpu.delay', 'contention.cpu.delay.other']);
    const at = valuesAt(collect);
    expect(await at(0)).toEqual(['300', '10']);
    writeThread(43, 'CPU 0/KVM', 150);
    writeThread(45, 'worker', 600);
    writeThread(46, 'worker', 400);
    remove('proc/42/task/44');
    expect(await at(5000)).toEqual(['350', '10']);
    expect(await at(60_000)).toEqual(['350', '1010']);
    writeThread(43, 'CPU 0/KVM', 160);
    expect(await at(65_000)).toEqual(['360', '1010']);
    process.close();
  });

  it('have a clock of their own, which starts when the run of the domain is found', async () => {
    runVersion2();
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.time']);
    clock.frame = 90_000;
    expect(valuesOf(await collect(VM))).toEqual({ time: '0' });
    clock.frame = 95_001.5;
    expect(valuesOf(await collect(VM))).toEqual({ time: '5001500000' });
    // A domain that has resumed is another object.
    clock.frame = 100_000;
    expect(valuesOf(await collect({ ...VM }))).toEqual({ time: '10000000000' });
    process.close();
  });

  it('have nothing swapped while the host has no swap in use, without a look at each VM', async () => {
    runVersion2();
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.memory.swapped']);
    const head = 'Filename\tType\t\tSize\t\tUsed\t\tPriority\n';
    for (const [text, value] of [
      [head, '0'],
      [`${head}/dev/vda2  partition\t1000\t\t0\t\t-2\n`, '0'],
      [`${head}/dev/vda2  partition\t1000\t\t0\t\t-2\n/swap  file\t1000\t\t4\t\t-3\n`, '640'],
    ] as const) {
      write('proc/swaps', text);
      expect(valuesOf(await collect(VM))).toEqual({ 'memory.swapped': value });
    }
    process.close();
  });

  it('read the memory of a group again when something has waited for memory, and once a minute', async () => {
    runVersion2();
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.memory.refaults']);
    const refaults = async (ms: number) => {
      clock.frame = ms;
      return valuesOf(await collect(VM))['memory.refaults'];
    };
    const write7 = (count: number) => write(`cg/${GROUP}/memory.stat`, `workingset_refault_anon ${count}\n`);
    write7(7);
    expect(await refaults(0)).toBe('7');
    write7(8);
    expect(await refaults(5000)).toBe('7');
    // Its averages fall without a stall.
    write(`cg/${GROUP}/memory.pressure`, pressureText(2).replaceAll('2.50', '1.25'));
    expect(await refaults(10_000)).toBe('7');
    write(`cg/${GROUP}/memory.pressure`, pressureText(3));
    expect(await refaults(15_000)).toBe('8');
    write7(9);
    expect(await refaults(20_000)).toBe('8');
    expect(await refaults(80_000)).toBe('9');
    process.close();
  });

  it('read the memory of a group always where the kernel has no pressure', async () => {
    runVersion2();
    remove(`cg/${GROUP}/memory.pressure`);
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.memory.refaults']);
    for (const count of [10, 11]) {
      write(`cg/${GROUP}/memory.stat`, `workingset_refault_anon ${count}\n`);
      expect(valuesOf(await collect(VM))).toEqual({ 'memory.refaults': String(count) });
    }
    process.close();
  });

  it('count what happens at a limit of memory with the stall that it is, else within a minute', async () => {
    runVersion2();
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.memory.max', 'contention.memory.oom']);
    const at = valuesAt(collect);
    expect(await at(0)).toEqual(['6', '1']);
    write(`cg/${GROUP}/memory.events`, 'low 9\nhigh 5\nmax 8\noom 7\noom_kill 2\noom_group_kill 0\n');
    write(`cg/${GROUP}/memory.pressure`, pressureText(3));
    expect(await at(5000)).toEqual(['8', '2']);
    write(`cg/${GROUP}/memory.events`, 'low 9\nhigh 5\nmax 9\noom 7\noom_kill 2\noom_group_kill 0\n');
    expect(await at(10_000)).toEqual(['8', '2']);
    expect(await at(65_000)).toEqual(['9', '2']);
    process.close();
  });

  it('follow the process into the group that libvirt moves it to, and count new groups of virtual CPUs', async () => {
    runVersion2();
    write('proc/42/cgroup', '0::/user.slice\n');
    const { process } = qemu();
    const collect = collector({ process: () => process }, [
      'contention.quota.time',
      'contention.pressure.io.some.total',
    ]);
    const at = valuesAt(collect);
    const none = 'libvirt has made no control group for the domain';
    expect(await at(0)).toEqual([none, none]);
    write('proc/42/cgroup', `0::/${GROUP}/libvirt/emulator\n`);
    expect(await at(60_000)).toEqual(['2005000', '3.000000']);
    write(`cg/${GROUP}/libvirt/vcpu2/cpu.stat`, 'nr_periods 1\nnr_throttled 1\nthrottled_usec 1000\n');
    expect(await at(65_000)).toEqual(['2005000', '3.000000']);
    expect(await at(120_000)).toEqual(['3005000', '3.000000']);
    remove(`cg/${GROUP}/libvirt/vcpu2`);
    expect(await at(180_000)).toEqual(['2005000', '3.000000']);
    // It moves again.
    write('cg/machine/qemu-7-h.libvirt-qemu/cpu.stat', 'nr_periods 1\nnr_throttled 1\nthrottled_usec 7\n');
    write('cg/machine/qemu-7-h.libvirt-qemu/io.pressure', pressureText(9));
    write('proc/42/cgroup', '0::/machine/qemu-7-h.libvirt-qemu\n');
    expect(await at(240_000)).toEqual(['7000', '9.000000']);
    process.close();
  });

  it('look again for a group that could not be found because the mounts were hidden', async () => {
    runVersion2();
    remove('proc/self/mountinfo');
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.quota.time']);
    expect(valuesOf(await collect(VM))['quota.time']).toMatch(/cannot be read/);
    write('proc/self/mountinfo', `30 24 0:26 / ${top}/cg rw - cgroup2 cgroup2 rw\n`);
    clock.frame = 60_000;
    expect(valuesOf(await collect(VM))['quota.time']).toBe('2005000');
    process.close();
  });

  it('open no file again while it stays the same', async () => {
    runVersion2();
    const { process } = qemu();
    const collect = collector({ process: () => process }, NAMES);
    const open = () => openFiles().filter((file) => file.includes(` ${top}`));
    await collect(VM);
    const first = open();
    // cpu.stat of three groups, memory.stat, memory.events, three pressures, status, cgroup, three threads.
    expect(first).toHaveLength(13);
    clock.frame = 60_000;
    await collect(VM);
    expect(open()).toEqual(first);
    process.close();
    expect(open()).toEqual([]);
  });

  it('count no thread twice after a time without descriptors for a new one', async () => {
    runVersion2();
    const { process: run } = qemu();
    const collect = collector({ process: () => run }, ['contention.cpu.delay']);
    const at = async (ms: number) => {
      clock.frame = ms;
      return valuesOf(await collect(VM))['cpu.delay'];
    };
    expect(await at(0)).toBe('300');
    writeThread(45, 'CPU 2/KVM', 1000);
    const restore = limitDescriptors(readdirSync('/proc/self/fd').length + 20);
    try {
      expect(await at(60_000)).toMatch(/too many open files/);
    } finally {
      restore();
    }
    writeThread(43, 'CPU 0/KVM', 110);
    expect(await at(120_000)).toBe('1310');
    run.close();
  });

  it('look for what is new at different times for different VMs', async () => {
    runVersion2();
    const pids = Array.from({ length: 100 }, (_none, at) => String(4000 + 6 * at));
    const vms = pids.map((pid, at) => ({ process: { ...qemu().process, pid }, vm: domain(`g${at}`, 7) }));
    for (const pid of pids) {
      write(`proc/${pid}/cgroup`, `0::/${GROUP}\n`);
      write(`proc/${pid}/task/${pid}/comm`, 'CPU 0/KVM\n');
      write(`proc/${pid}/task/${pid}/schedstat`, '1 1 1\n');
    }
    const collect = collector({ process: (one) => vms.find(({ vm }) => vm === one)?.process }, [
      'contention.cpu.delay',
    ]);
    const all = vms.map(({ vm }) => vm);
    await collect(...all);
    for (const pid of pids) {
      write(`proc/${pid}/task/1/comm`, 'CPU 1/KVM\n');
      write(`proc/${pid}/task/1/schedstat`, '1 1 1\n');
    }
    const found = async (ms: number): Promise<number> => {
      clock.frame = ms;
      return (await collect(...all)).filter(({ outcome }) => outcome.ok && outcome.samples[0]?.value === '2').length;
    };
    const counts: number[] = [];
    for (let second = 5; second <= 60; second += 5) counts.push(await found(second * 1000));
    const each = counts.map((count, at) => count - (counts[at - 1] ?? 0));
    expect(Math.max(...each)).toBeLessThanOrEqual(15);
    expect(counts.at(-1)).toBe(100);
    vms.forEach(({ process }) => process.close());
  });

  it.each([
    ['runs where its memory is', '0-3', 0, '25.000000'],
    ['runs elsewhere', '0-3', 3, '75.000000'],
    ['may run on one node only, wherever it ran', '0-1', 3, '25.000000'],
    ['may run on the other', '2,3', 0, '75.000000'],
  ])('have the share of memory that is remote: a VM that %s', async (_how, allowed, last, value) => {
    runVersion2();
    for (const tid of [43, 44]) place(tid, allowed, last);
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.memory.remote']);
    expect(valuesOf(await collect(VM))).toEqual({ 'memory.remote': value });
    process.close();
  });

  it.each([
    ['one of four', ['0-7', [2, 3]], '70.000000'],
    ['two of four', ['0-7', [0, 5]], '60.000000'],
    ['two that it is pinned to', ['2-3,6-7', [2, 3]], '40.000000'],
  ] as const)('have it on a host with four nodes, for a VM that runs on %s', async (_how, [allowed, last], value) => {
    runVersion2();
    for (const node of [0, 1, 2, 3])
      write(`sys/devices/system/node/node${node}/cpulist`, `${2 * node}-${2 * node + 1}\n`);
    write(`cg/${GROUP}/memory.numa_stat`, 'anon N0=5 N1=20 N2=30 N3=20\nfile N0=5 N1=10 N2=0 N3=10\n');
    for (const [at, tid] of [43, 44].entries()) place(tid, allowed, last[at] ?? 0);
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.memory.remote']);
    expect(valuesOf(await collect(VM))).toEqual({ 'memory.remote': value });
    process.close();
  });

  it('count memory on a node without CPUs as remote, and run on all nodes without it', async () => {
    runVersion2();
    write('sys/devices/system/node/node2/cpulist', '\n');
    write(`cg/${GROUP}/memory.numa_stat`, 'anon N0=10 N1=20 N2=70\nfile N0=0 N1=0 N2=0\n');
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.memory.remote']);
    // Both virtual CPUs may run on nodes 0 and 1, and ran on node 0.
    expect(valuesOf(await collect(VM))).toEqual({ 'memory.remote': '90.000000' });
    process.close();
  });

  it('have no remote memory where the host has one node, and pages of version 1', async () => {
    runVersion2();
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.memory.remote']);
    remove('sys/devices/system/node/node1');
    expect(valuesOf(await collect(VM))).toEqual({ 'memory.remote': 'the host has one NUMA node' });
    // A node is plugged in.
    runNodes();
    clock.frame = 120_000;
    expect(valuesOf(await collect(VM))).toEqual({ 'memory.remote': '25.000000' });
    expect([...memoryByNode('total=9 N0=4 N1=5\nfile=1 N0=1 N1=0\nhierarchical_total=20 N0=8 N1=12\n')]).toEqual([
      [0, 8],
      [1, 12],
    ]);
    expect([...memoryByNode('total=9 N0=4 N1=5\n')]).toEqual([
      [0, 4],
      [1, 5],
    ]);
    process.close();
  });

  it('are the same readings while the files do not change, of the same domain', async () => {
    runVersion2();
    const { process } = qemu();
    const collect = collector({ process: () => process }, ['contention.quota.time', 'contention.cpu.delay']);
    const [quota, delay] = await collect(VM);
    const again = await collect(VM);
    expect(again[0]).toBe(quota);
    expect(again[1]).toBe(delay);
    writeThread(43, 'CPU 0/KVM', 101);
    write(`cg/${GROUP}/libvirt/vcpu1/cpu.stat`, 'nr_periods 10\nnr_throttled 4\nthrottled_usec 1001\n');
    expect(valuesOf(await collect(VM))).toEqual({ 'quota.time': '2006000', 'cpu.delay': '301' });
    // It has resumed.
    const resumed = { ...VM };
    expect((await collect(resumed)).map(({ domain: of }) => of)).toEqual([resumed, resumed]);
    expect((await collect(resumed))[0]?.domain).toBe(resumed);
    process.close();
  });

  it('are none of another process that has got the same pid', async () => {
    runVersion2();
    const { process, state } = qemu();
    const collect = collector({ process: () => process });
    state.isRunning = false;
    expect(await collect(VM)).toEqual([]);
    state.isRunning = true;
    expect(await collect(VM)).toHaveLength(NAMES.length);
    state.isRunning = false;
    // What was open is still that of the old process; nothing is opened again.
    clock.frame = 60_000;
    expect(await collect(VM)).toEqual([]);
    process.close();
  });

  it('are failures with a reason for a domain elsewhere, or without a group of its own', async () => {
    const [reason] = Object.values(valuesOf(await collector({})(VM)));
    expect(reason).toBe('the daemon must run on the host of the domain, with a local qemu:/// URI');
    runVersion2();
    write('proc/42/cgroup', '0::/user.slice\n');
    const { process } = qemu();
    expect(valuesOf(await collector({ process: () => process })(VM))).toMatchObject({
      'cpu.delay': '300',
      'memory.swapped': '640',
      'quota.time': 'libvirt has made no control group for the domain',
      'pressure.io.some.total': 'libvirt has made no control group for the domain',
    });
    process.close();
  });

  it('ask libvirt once a minute for a process that is not known yet', async () => {
    runVersion2();
    const { process } = qemu();
    let known: QemuProcess | undefined;
    let asked = 0;
    const info$ = (of$: Domain): Observable<ReturnType<typeof statsOf>> => {
      asked += 1;
      return of(statsOf(of$, {}));
    };
    const collect = collector({ process: () => known, info$ }, ['contention.memory.swapped']);
    const value = async (ms: number) => {
      clock.frame = ms;
      return valuesOf(await collect(VM))['memory.swapped'];
    };
    expect(await value(0)).toMatch(/cannot be verified/);
    expect(await value(59_999)).toMatch(/cannot be verified/);
    known = process;
    expect(await value(59_999)).toBe('640');
    known = undefined;
    expect(await value(60_000)).toMatch(/cannot be verified/);
    expect(asked).toBe(2);
    process.close();
  });

  it('need no collector where no metric wants them, and none while libvirt is away', async () => {
    expect(contentionCollectors([statMetric('cpu.time')], NEVER, clock)).toEqual([]);
    const [away] = contentionCollectors([statMetric(NAMES[0]!)], of({ up: false, reason: 'x' }), clock);
    expect(await firstValueFrom(away!.collect$([VM]).pipe(toArray()))).toEqual([]);
  });
});
