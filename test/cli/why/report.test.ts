import { describe, expect, it } from 'vitest';

import type { Definition } from '../../../src/cli/why/definition.ts';
import { dataOf } from '../../../src/cli/why/json.ts';
import { statusOf } from '../../../src/cli/why/observation.ts';
import { linesOf, logLines } from '../../../src/cli/why/output.ts';
import { report } from '../../../src/cli/why/report.ts';
import { CAUSES } from '../../../src/verdict/causes.ts';
import { domain, found, seen } from './seen.ts';

const PLAIN: Definition = { disks: [], interfaces: 0, cpus: 2, memoryLimit: undefined };
const ALL = CAUSES.map(({ name }) => name);

describe('The report of vhostmd why', () => {
  it('has the verdict, its evidence, who it is, what to do, the page, and other findings', () => {
    const one = seen('web1', {
      verdict: {
        findings: [found('quota', 'quota', 94.84, 5), found('network', 'drops', 2, 1)],
      },
      before: { 'contention.quota.periods': 0, 'contention.quota.throttled': 0 },
      now: { 'contention.quota.periods': 50, 'contention.quota.throttled': 48, 'vcpu.current': 2 },
    });
    expect(report(one, { ...PLAIN, cpus: 0.2 })).toEqual([
      'web1 is slow: its CPU quota stops it.',
      '',
      'Seen in 5 seconds:',
      '  94.8 % of the time its CPU quota stopped a virtual CPU (from 5 % on)',
      '  The quota leaves 0.2 CPUs to it. It stopped the VM in 48 of 50 periods.',
      '',
      'What to do:',
      expect.stringMatching(/^ {2}Raise the quota: `virsh schedinfo web1 --live vcpu_quota=QUOTA`/),
      expect.stringMatching(/^ {2}An emulator/),
      '',
      'To see more:',
      '  virsh schedinfo web1',
      '  virsh domstats --vcpu web1',
      `  docs/why.md, "The VM's own CPU quota"`,
      '',
      'Also:',
      '  Packets are dropped at its interface. 2 % of its network packets were dropped.',
    ]);
    expect(statusOf(one)).toBe(1);
  });

  it('says that the host has no part in it, with what it measured', () => {
    const one = seen('web1', { verdict: { measured: { waiting: 0.312, latency: 1.5 } } });
    expect(report(one, PLAIN)).toEqual([
      'Nothing on the host slows web1 down: look inside the guest.',
      '  Measured in 5 seconds: waiting 0.31 %, latency 1.5 ms',
    ]);
    expect(statusOf(one)).toBe(0);
  });

  it('shows a name as text, whatever it is', () => {
    expect(report(seen('$&\n'), PLAIN)[0]).toBe(
      String.raw`Nothing on the host slows $&\n down: look inside the guest.`,
    );
  });

  it('says which causes were not judged, once for each reason, and what would help', () => {
    const one = seen('web1', {
      verdict: { unseen: ['paused', 'memory', 'job'], measured: { waiting: 0 } },
      now: { 'vcpu.current': 1, 'activity.paused.time': 0 },
      missing: new Map([['contention.pressure.memory.some.total', 'its file of the kernel cannot be opened: ENOENT']]),
    });
    const lines = report(one, PLAIN);
    expect(lines[0]).toBe('web1: the host shows no cause, but not all could be looked at.');
    expect(lines.slice(2)).toEqual([
      '',
      'Not judged:',
      '  The host pauses the VM: the two readings do not cover it',
      expect.stringMatching(/^ {2}The host is short of memory: .*ENOENT; see .*\/proc\/pressure\/memory.*psi=1/),
      '  A migration, backup or copy is running: libvirt, or the QEMU of the VM, has not answered in time',
    ]);
    expect(statusOf(one)).toBe(0);
  });

  it('says that nothing could be judged, for one reason', () => {
    const one = seen('web1', {
      verdict: { unseen: ALL },
      missing: new Map([['contention.time', 'the daemon must run on the host, with a local qemu:/// URI']]),
    });
    const blind = { ...one, now: new Map() };
    expect(report(blind, PLAIN)).toEqual([
      'web1: the host shows nothing of what could slow it down.',
      '',
      'Not judged:',
      '  All causes: this is not the host of the VM, or its driver is not QEMU; run this command on the host, with -c qemu:///system',
    ]);
    expect(statusOf(blind)).toBe(2);
  });

  it.each(ALL)('has words and commands for the cause %s, and no placeholder of the domain is left', (cause) => {
    const text = report(seen('web1', { verdict: { findings: [found(cause, 'waiting', 50, 5)] } }), PLAIN).join('\n');
    expect(text).toMatch(/^web1 is slow: [a-z].*\.$/m);
    expect(text).toMatch(/^What to do:$/m);
    expect(text).toMatch(/^To see more:$/m);
    expect(text).not.toMatch(/DOMAIN|vhostmd why/);
  });
});

describe('Who is behind a cause', () => {
  const offender = (
    ...[cause, more, definition = PLAIN]: readonly [(typeof ALL)[number], Parameters<typeof seen>[1], Definition?]
  ) => {
    const one = seen('web1', { ...more, verdict: { findings: [found(cause, 'waiting', 50, 5)] } });
    return {
      data: dataOf(one, definition).findings[0]?.offender,
      text: report(one, definition).slice(4).join('\n').split('\n\n')[0],
      lines: report(one, definition),
    };
  };

  it('is the VMs with most CPU, and what runs outside of VMs', () => {
    const used = (name: string, id: number, cpus: number) => ({ domain: domain(name, id), used: cpus * 5e9 });
    const { data, text } = offender('neighbours', {
      cpu: [
        used('web1', 1, 0.25),
        used('idle', 2, 0.001),
        used('a"b\n', 3, 0.5),
        used('big', 4, 2),
        used('c', 5, 0.1),
        used('d', 6, 0.09),
      ],
      host: [{ 'host.cpu.time': 100 }, { 'host.cpu.time': 120, 'host.cpus': 4 }],
    });
    expect(data).toMatchObject({
      kind: 'cpu',
      own: 0.25,
      hostCpus: 4,
      domains: [
        { name: 'big', uuid: domain('', 4).uuid, cpus: 2 },
        { name: 'a"b\n', cpus: 0.5 },
        { name: 'c', cpus: 0.1 },
      ],
    });
    expect(data?.kind === 'cpu' && data.outside).toBeCloseTo(4 - 2.941, 3);
    expect(text).toBe(
      String.raw`  Of 4 CPUs of the host: "big" used 2 CPUs, "a"b\n" used 0.5 CPUs, "c" used 0.1 CPUs, processes outside of VMs 1.06 CPUs, the VM itself 0.25 CPUs.`,
    );
  });

  it('is no VM that does next to nothing', () => {
    const idle = { domain: domain('idle', 2), used: 5e7 };
    expect(offender('neighbours', { cpu: [idle] }).data).toEqual({ kind: 'cpu', own: 0, domains: [] });
  });

  const none = { total: 0, read: 0, write: 0 };
  const unlimited = { group: undefined, bytes: none, iops: none };
  const DISKS: Definition = {
    ...PLAIN,
    interfaces: 2,
    disks: [
      { ...unlimited, name: 'vda', source: '/a.qcow2', iops: { ...none, total: 1000 } },
      { ...unlimited, name: 'vdb', source: '/b.raw', bytes: { ...none, write: 2_000_000 } },
    ],
  };
  const BEFORE = Object.fromEntries(
    [0, 1].flatMap((at) =>
      ['rd.reqs', 'rd.times', 'wr.reqs', 'wr.times', 'wr.bytes', 'rd.bytes', 'fl.reqs', 'fl.times'].map((field) => [
        `block.${at}.${field}`,
        7,
      ]),
    ),
  );
  const NOW = {
    ...BEFORE,
    'block.0.name': 'vda',
    'block.0.rd.reqs': 7 + 1000,
    'block.0.rd.times': 7 + 1e9,
    'block.1.name': 'vdb',
    'block.1.wr.reqs': 7 + 50,
    'block.1.wr.times': 7 + 2e9,
    'block.1.fl.reqs': 7 + 50,
    'block.1.fl.times': 7 + 2e9,
    'block.1.wr.bytes': 7 + 9_900_000,
  };

  it('is the disk with the highest latency, and its source', () => {
    const { data, lines } = offender('storage', { before: BEFORE, now: NOW }, DISKS);
    expect(data).toEqual({ kind: 'disk', disk: 'vdb', source: '/b.raw', ms: 40, rate: 20 });
    expect(lines).toContain('  The slowest disk is vdb (/b.raw): 40 ms for a request, 20 requests per second.');
    expect(lines).toContain('  virsh domblkstat web1 vdb');
  });

  it('is the disk that is nearest to a limit', () => {
    const { data, lines } = offender('io-limit', { before: BEFORE, now: NOW }, DISKS);
    expect(data).toEqual({
      kind: 'limit',
      disk: 'vdb',
      source: '/b.raw',
      limit: 'write_bytes_sec',
      rate: 1_980_000,
      most: 2_000_000,
    });
    expect(lines).toContain('  virsh blkdeviotune web1 vdb');
  });

  it('is the limit that the disks of a group share', () => {
    const disks = DISKS.disks.map((disk) => ({
      ...disk,
      group: 'both',
      bytes: none,
      iops: { ...none, total: 220 },
    }));
    expect(offender('io-limit', { before: BEFORE, now: NOW }, { ...DISKS, disks }).data).toMatchObject({
      limit: 'total_iops_sec',
      rate: 210,
      most: 220,
    });
  });

  it('is the interface that drops most', () => {
    const { data, lines } = offender(
      'network',
      {
        before: { 'net.0.rx.drop': 5, 'net.1.rx.drop': 0, 'net.1.tx.pkts': 10 },
        now: {
          'net.0.name': 'vnet0',
          'net.0.rx.drop': 6,
          'net.1.name': 'vnet1',
          'net.1.rx.drop': 30,
          'net.1.tx.pkts': 110,
        },
      },
      DISKS,
    );
    expect(data).toEqual({ kind: 'interface', interface: 'vnet1', packets: 130, drops: 30 });
    expect(lines).toContain('  tc -s qdisc show dev vnet1');
  });

  it('is the job and how far it is, or that it has ended', () => {
    expect(offender('job', { now: { 'activity.job': 'backup', 'activity.job.progress': 41.26 } }).text).toBe(
      '  The job is: backup, 41.3 % done.',
    );
    expect(offender('job', { now: { 'activity.job': 'none', 'activity.job.progress': 0 } })).toMatchObject({
      data: { kind: 'job', job: 'none' },
      text: '  The job has ended.',
    });
  });

  it('is the memory that the host took, and the own limit', () => {
    const { data, text } = offender(
      'memory',
      {
        before: { 'contention.memory.refaults': 10 },
        now: { 'contention.memory.refaults': 1010, 'contention.memory.swapped': 10_240 },
      },
      { ...PLAIN, memoryLimit: 65_536 },
    );
    expect(data).toEqual({ kind: 'memory', swapped: 10_240, limit: 65_536, refaults: 1000 });
    expect(text).toBe(
      "  10 MiB of the VM are in the host's swap, 1000 pages were read back, the limit of the VM itself (hard_limit) is 64 MiB.",
    );
  });

  it('is the reason of a pause', () => {
    expect(offender('paused', { now: { 'state.state': 3, 'activity.paused.reason': 'ioerror' } }).text).toBe(
      '  It is paused now; the reason is: ioerror.',
    );
    expect(offender('paused', { now: { 'state.state': 1 } }).data).toEqual({ kind: 'pause', paused: false });
  });
});

describe('The output of vhostmd why --all and --watch', () => {
  const slow = seen('a', { verdict: { findings: [found('quota', 'quota', 10, 5)] }, domain: domain('a', 1) });
  const slower = seen('bb', {
    verdict: { findings: [found('storage', 'latency', 300, 20, 'ms')] },
    domain: domain('bb', 2),
  });
  const well = seen('c', { domain: domain('c', 3) });
  const dark = seen('d\u001b', { verdict: { unseen: ['memory'] }, domain: domain('d\u001b', 4) });
  const all = [well, dark, slow, slower];
  const text = { definition: undefined, json: false, watch: false } as const;

  it('is a line for each VM, in columns, those with a cause first', () => {
    expect(linesOf(all, text)).toEqual([
      'bb       storage  300 ms',
      'a        quota    10 %',
      String.raw`d\u{1b}  unknown`,
      'c        none',
    ]);
    expect(linesOf([], text)).toEqual(['No VM runs.']);
  });

  it('is JSON with an entry for each VM in the same order', () => {
    const data = JSON.parse(linesOf(all, { ...text, json: true }).join('\n'));
    expect(data.map(({ cause }: { cause: string }) => cause)).toEqual(['storage', 'quota', 'unknown', 'none']);
    expect(data[1]).toEqual({
      domain: { name: 'a', uuid: domain('', 1).uuid, id: 1 },
      cause: 'quota',
      seconds: 5,
      findings: [{ cause: 'quota', evidence: [{ name: 'quota', value: 10, unit: '%', threshold: 5 }] }],
      unseen: [],
      reasons: {},
      measured: {},
    });
    expect(JSON.parse(linesOf([], { ...text, json: true }).join(''))).toEqual([]);
  });

  it('is in a log what has a cause or another one than before', () => {
    const form = { ...text, watch: true };
    const first = logLines(all, form, new Map(), 'T');
    expect(first.lines).toHaveLength(4);
    expect(first.lines[0]).toBe('T bb       storage  300 ms');
    const again = logLines([well, dark, slow], form, first.shown, 'T');
    expect(again.lines).toEqual(['T a  quota  10 %']);
    const cured = seen('a', { domain: domain('a', 1) });
    expect(logLines([well, dark, cured], form, again.shown, 'T').lines).toEqual(['T a  none']);
  });

  it('is in a log of one VM a line for each look, of text or of JSON', () => {
    const form = { definition: PLAIN, json: false, watch: true };
    expect(logLines([slow], form, new Map(), 'T').lines).toEqual(['T a is slow: its CPU quota stops it.']);
    const [line, ...others] = logLines([slow], { ...form, json: true }, new Map(), 'T').lines;
    expect(others).toEqual([]);
    expect(JSON.parse(line ?? '')).toMatchObject({ cause: 'quota' });
    expect(line).not.toContain('\n');
  });
});
