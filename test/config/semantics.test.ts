import { describe, expect, it } from 'vitest';

import { configOf, errorsOf, fileOf, markedFile, metric, warningsOf } from './build.ts';
import type { Parts } from './build.ts';

const stat = (name: string, type = 'uint64', context = 'host', scale = ''): Parts => ({
  metrics: metric(`<name>a</name><stat${scale}>${name}</stat>`, `type="${type}" context="${context}"`),
});

const timed = (attributes: string, parts: Parts = {}): Parts => ({
  ...parts,
  metrics: metric('<name>a</name><action>b</action>', `type="string" context="host" ${attributes}`),
});

/** Expects one error at the mark ¦. */
const expectError = (parts: Parts, message: RegExp): void => {
  const { text, place } = markedFile(parts);
  expect(errorsOf(text)).toEqual([expect.stringMatching(message)]);
  expect(errorsOf(text)[0]?.startsWith(place), `${errorsOf(text)[0]} at ${place}`).toBe(true);
};

const expectWarning = (parts: Parts, message: RegExp): void => {
  const { text, place } = markedFile(parts);
  expect(errorsOf(text)).toEqual([]);
  expect(warningsOf(text)).toEqual([expect.stringMatching(message)]);
  expect(warningsOf(text)[0]?.startsWith(place), `${warningsOf(text)[0]} at ${place}`).toBe(true);
};

describe('a configuration', () => {
  it('of the least that is needed gets the defaults', () => {
    expect(configOf(fileOf())).toEqual({
      file: 'f',
      disk: { name: 'd', path: '/dev/shm/d', size: 262_144 },
      updatePeriod: 5000,
      path: '/usr/bin:/bin',
      transports: [{ name: 'vbd', place: { file: 'f', line: 7, column: 1 } }],
      maxParallelActions: 8,
      sinks: [],
      metrics: [
        {
          index: 0,
          name: 'HostName',
          type: 'string',
          context: 'host',
          source: { kind: 'action', command: 'hostname' },
          variables: [],
          every: 1,
          timeout: 5000,
          place: { file: 'f', line: 11, column: 1 },
        },
      ],
    });
  });

  it('with every setting holds them all', () => {
    const text = fileOf({
      virtio:
        '<virtio><channel_path>/run/c</channel_path><max_channels>9</max_channels><expiration_time>20</expiration_time></virtio>',
      transports: '<transport> VBD </transport>\n<transport>VirtIO</transport>',
      additions:
        '<action_timeout>3</action_timeout><max_parallel_actions>2</max_parallel_actions>\n' +
        '<vm_disk><path>/run/v/UUID.disk</path><size unit="k">64</size></vm_disk>\n' +
        '<sink type="prometheus"><option name="port"> 9100 </option></sink>\n<sink module="/a.js"/>',
    });
    expect(configOf(text)).toMatchObject({
      virtio: { channelPath: '/run/c', maxChannels: 9, expirationTime: 20_000 },
      transports: [{ name: 'vbd' }, { name: 'virtio', place: { line: 8, column: 1 } }],
      maxParallelActions: 2,
      vmDisk: { path: '/run/v/UUID.disk', size: 65_536, place: { line: 10, column: 1 } },
      sinks: [
        {
          type: 'prometheus',
          options: [{ name: 'port', value: '9100', place: { line: 11, column: 25 } }],
          place: { line: 11 },
        },
        { module: '/a.js', options: [], place: { line: 12 } },
      ],
      metrics: [{ timeout: 3000 }],
    });
    expect(warningsOf(text)).toEqual([]);
  });

  it('keeps the text of an action exactly, comments apart', () => {
    const text = fileOf({
      metrics: metric(
        '<name>\n a </name><action>\n  a \\\n<!-- no -->  b &lt;&#65; <![CDATA[<c> && &lt;]]> `d` $((1+1)) {print $3}\n</action>',
      ),
    });
    expect(configOf(text).metrics[0]).toMatchObject({
      name: 'a',
      source: { command: '\n  a \\\n  b <A <c> && &lt; `d` $((1+1)) {print $3}\n' },
    });
  });

  it('takes cnt without a meaning and an empty unit as none', () => {
    const [found] = configOf(fileOf(timed('cnt="x" unit=""'))).metrics;
    expect(found).not.toHaveProperty('unit');
    expect(found).not.toHaveProperty('cnt');
  });

  it('has groups with their variables', () => {
    const group = metric(
      '<name>g</name><action>x</action><variable name=" a " type="uint64"/><variable name="b" type="real64" unit="s" cnt="1">t</variable>',
      'type="group" context="vm"',
    );
    expect(configOf(fileOf({ metrics: group })).metrics[0]?.variables).toEqual([
      { name: 'a', type: 'uint64' },
      { name: 'b', type: 'real64', unit: 's' },
    ]);
  });
});

describe('transports', () => {
  it('vbd needs a disk', () => {
    expectError({ disk: '', transports: '¦<transport>vbd</transport>' }, /vbd needs a metrics disk; add <disk>/);
    expectError(
      { disk: '', transports: '<transport>virtio</transport>¦<transport>vbd</transport>' },
      /vbd needs a metrics disk; add <disk>/,
    );
  });

  it('vbd is content with private disks', () => {
    const additions = '<vm_disk><path>/r/UUID</path><size unit="k">64</size></vm_disk>';
    expect(errorsOf(fileOf({ disk: '', additions }))).toEqual([]);
  });

  it('virtio needs no disk and no <virtio>', () => {
    const config = configOf(fileOf({ disk: '', transports: '<transport>virtio</transport>' }));
    expect(config.virtio).toEqual({ maxChannels: 1024, expirationTime: 15_000 });
    expect(config).not.toHaveProperty('disk');
    const transports = '<transport>vbd</transport><transport>virtio</transport>';
    expect(configOf(fileOf({ transports })).virtio).toEqual(config.virtio);
  });

  it('given twice count once, with a warning', () => {
    const parts = { transports: '<transport>vbd</transport><transport>¦VBD</transport>' };
    expectWarning(parts, /vbd is given twice/);
  });

  it('of several <virtio> the last counts, with a warning', () => {
    const parts = {
      virtio: '¦<virtio><max_channels>1</max_channels></virtio>\n<virtio><max_channels>2</max_channels></virtio>',
    };
    expectWarning(parts, /Several <virtio>/);
    expect(configOf(markedFile(parts).text).virtio?.maxChannels).toBe(2);
  });

  it('an expiration time below three periods is raised', () => {
    const virtio = '<virtio><expiration_time>15</expiration_time></virtio>';
    const period = '<update_period>60</update_period>';
    expect(configOf(fileOf({ virtio, period })).virtio?.expirationTime).toBe(180_000);
  });
});

describe('paths, private disks and sinks', () => {
  it.each<[Parts, RegExp]>([
    [{ disk: '<disk><name>d</name><path>¦dev/shm</path><size unit="k">64</size></disk>' }, /must be an absolute path/],
    [{ additions: '<vm_disk>¦<path/><size unit="k">64</size></vm_disk>' }, /<path> is empty; write its text/],
    [{ virtio: '<virtio><channel_path>¦run</channel_path></virtio>' }, /<channel_path> must be an absolute path/],
    [
      { additions: '<vm_disk><path>¦/r/NAME</path><size unit="k">64</size></vm_disk>' },
      /must contain the word UUID, found "\/r\/NAME"; write it like \/.*UUID/,
    ],
    [{ additions: '<vm_disk><path>/UUID</path><size unit="M">¦257</size></vm_disk>' }, /from 1 to 256/],
    [{ additions: '¦<sink/>' }, /either type="..." or module="..."/],
    [{ additions: '¦<sink type="a" module="b"/>' }, /and not both/],
    [{ additions: '<sink type="¦"/>' }, /type of <sink> is empty/],
    [{ additions: '<sink type="a"><option name="¦">x</option></sink>' }, /name of <option> is empty/],
  ])('are checked (case %#)', expectError);
});

describe('settings that the C daemon accepted in real files', () => {
  const disk = (path: string, size = '<size unit="k">64</size>') => `<disk><name>d</name>${path}${size}</disk>`;

  it.each([
    ['kib', 65_536, 'KiB'],
    ['KB', 65_536, 'KiB'],
    ['kB', 65_536, 'KiB'],
    ['kilobytes', 65_536, 'KiB'],
    ['MB', 67_108_864, 'MiB'],
    ['mib', 67_108_864, 'MiB'],
    ['Mbytes', 67_108_864, 'MiB'],
  ])('unit %s of a disk is taken by its first letter, with a warning', (unit, size, taken) => {
    const parts = { disk: disk('<path>/d</path>', `<size unit="¦${unit}">64</size>`) };
    expectWarning(parts, new RegExp(`unit "${unit}" of <size> is taken as ${taken}; write ${taken}$`));
    expect(configOf(markedFile(parts).text).disk?.size).toBe(size);
  });

  it.each(['', ' k', 'g', 'b', 'bytes', '1k', '1m'])('unit %j of a disk is refused', (unit) => {
    expectError(
      { disk: disk('<path>/d</path>', `<size unit="¦${unit}">64</size>`) },
      /Unknown unit ".*expected one of k, K/,
    );
  });

  it.each<[string, Parts, RegExp, object]>([
    ['<path/> of actions', { path: '¦<path/>' }, /<path> is empty: actions get the daemon's own PATH/, { path: '' }],
    [
      '<path/> of the disk',
      { disk: disk('¦<path> \n</path>') },
      /<path> is empty: \/dev\/shm\/vhostmd0 counts; write it$/,
      { disk: { path: '/dev/shm/vhostmd0' } },
    ],
    [
      '<channel_path/>',
      { virtio: '<virtio>¦<channel_path/></virtio>' },
      /<channel_path> is empty: the default counts/,
      { virtio: { maxChannels: 1024, expirationTime: 15_000 } },
    ],
    ['<max_channels/>', { virtio: '<virtio>¦<max_channels/></virtio>' }, /is empty/, { virtio: { maxChannels: 1024 } }],
    [
      '<expiration_time/>',
      { virtio: '<virtio>¦<expiration_time> </expiration_time></virtio>' },
      /is empty/,
      { virtio: { expirationTime: 15_000 } },
    ],
    [
      '<transport/> alone: vbd',
      { transports: '¦<transport/>' },
      /<transport> is empty: it is no transport/,
      { transports: [{ name: 'vbd' }] },
    ],
    [
      '<transport/> beside another',
      { transports: '<transport>virtio</transport>¦<transport> </transport>' },
      /<transport> is empty/,
      { transports: [{ name: 'virtio' }] },
    ],
    [
      'virtio-serial',
      { transports: '<transport>¦VirtIO-serial</transport>' },
      /Transport "VirtIO-serial" is taken as virtio; write virtio/,
      { transports: [{ name: 'virtio' }] },
    ],
  ])('an empty or longer text is taken, with a warning: %s', (_what, parts, message, expected) => {
    expectWarning(parts, message);
    expect(configOf(markedFile(parts).text)).toMatchObject(expected);
  });

  it('an empty <transport/> needs a disk as vbd does', () => {
    expectError({ disk: '', transports: '¦<transport/>' }, /vbd needs a metrics disk/);
  });
});

describe('timing of a metric', () => {
  it.each([
    ['timeout="2"', '', 2000],
    ['timeout="5"', '', 5000],
    ['', '<action_timeout>4</action_timeout>', 4000],
    ['timeout="1"', '<action_timeout>4</action_timeout>', 1000],
    ['timeout="5"', '<action_timeout>1</action_timeout>', 5000],
    ['period="60"', '', 5000],
  ])('%s %s gives a deadline of %s', (attributes, additions, timeout) => {
    expect(configOf(fileOf(timed(attributes, { additions }))).metrics[0]?.timeout).toBe(timeout);
  });

  it('a deadline is reduced to the update period, with a warning', () => {
    expectWarning(timed('timeout="¦6"'), /timeout of <metric> is reduced to the update period, 5 s/);
    expectWarning({ additions: '<action_timeout>¦6</action_timeout>' }, /<action_timeout> is reduced/);
    for (const parts of [timed('timeout="5"'), { additions: '<action_timeout>5</action_timeout>' }]) {
      expect(warningsOf(fileOf(parts))).toEqual([]);
    }
    expect(configOf(fileOf(timed('timeout="6"'))).metrics[0]?.timeout).toBe(5000);
    expect(configOf(fileOf({ additions: '<action_timeout>6</action_timeout>' })).metrics[0]?.timeout).toBe(5000);
  });

  it('a period of its own is counted in update periods', () => {
    expect(configOf(fileOf(timed('period="60"'))).metrics[0]?.every).toBe(12);
    expect(configOf(fileOf(timed('period="5"'))).metrics[0]?.every).toBe(1);
  });

  it('a period that is no multiple is refused, with the nearest that is', () => {
    expectError(timed('period="¦12"'), /multiple of the update period \(5 s\), found "12"; write 10/);
    expectError(timed('period="¦1"'), /write 5/);
  });
});

describe('the value of a metric', () => {
  it.each<[Parts, RegExp]>([
    [{ metrics: metric('<name>a</name>¦<action> \n</action>') }, /<action> is empty/],
    [
      { metrics: `¦${metric('<name>a</name><action>b</action>', 'type="group" context="host"')}` },
      /needs at least one <variable>/,
    ],
    [
      { metrics: metric('<name>a</name><action>b</action>¦<variable name="x" type="int32"/>') },
      /Only metrics of type group/,
    ],
    [
      { metrics: metric('<name>a</name>¦<stat>host.time</stat>', 'type="xml" context="host"') },
      /type xml needs <action>/,
    ],
    [
      {
        metrics: metric(
          '<name>a</name>¦<stat>host.time</stat><variable name="x" type="int32"/>',
          'type="group" context="host"',
        ),
      },
      /type group needs <action>/,
    ],
    [stat('¦host.tiem'), /Unknown statistic "host.tiem" in context host; did you mean "host.time"\?/],
    [stat('¦hst.cpu.time'), /in context host; did you mean "host.cpu.time"\?$/],
    [stat('¦blok.0.rd.bytes', 'uint64', 'vm'), /Unknown statistic.*did you mean "block.0.rd.bytes"\?/],
    [stat('¦blok.12345678.rd.bytes', 'uint64', 'vm'), /did you mean "block.12345678.rd.bytes"\?/],
    [stat('¦net1.2.rx.bytes', 'uint64', 'vm'), /did you mean "net.2.rx.bytes"\?/],
    [stat('¦1net.2.rx.bytes', 'uint64', 'vm'), /did you mean "net.2.rx.bytes"\?/],
    [stat('¦dirtylimit.vcpu.0.limit', 'uint64', 'vm'), /Unknown statistic "dirtylimit.vcpu.0.limit" in context vm/],
    [stat('¦cpu', 'uint64', 'vm'), /Unknown statistic "cpu" in context vm/],
    [stat('¦cpu.time spent', 'uint64', 'vm'), /Unknown statistic "cpu.time spent" in context vm/],
    [stat('¦cpu..time', 'uint64', 'vm'), /Unknown statistic "cpu..time".*did you mean "cpu.time"\?/],
    [stat('¦constructor.name', 'uint64', 'vm'), /Unknown statistic "constructor.name"/],
    [stat('¦cpu.cache.monitor.*.name', 'string', 'vm'), /cannot be summed/],
    [stat('¦cpu.time'), /"cpu.time" exists in context vm only; the metric's context is host/],
    [stat('¦host.time', 'uint64', 'vm'), /"host.time" exists in context host only; the metric's context is vm/],
    [stat('¦ballon.curent'), /did you mean "balloon.current", which is of context vm\?/],
    [stat('¦whatever.this.may.be'), /Unknown statistic "whatever.this.may.be" in context host$/],
    [{ metrics: metric('<name>a</name>¦<stat/>') }, /<stat> is empty/],
    [stat('¦host.hostname', 'uint32'), /type must be string, found uint32/],
    [stat('host.hostname', 'string', 'host', ' scale="¦2"'), /is text and cannot be scaled/],
    [stat('¦net.*.name', 'string', 'vm'), /cannot be summed/],
    ...['0', '-1', '1e999', '0x10', '1,5', 'NaN', '', 'Infinity', '1e-999'].map((scale): [Parts, RegExp] => [
      stat('host.time', 'uint64', 'host', ` scale="¦${scale}"`),
      /scale of <stat> must be a positive decimal number/,
    ]),
  ])('is checked (case %#)', expectError);

  it.each([
    ['1e-9', 1e-9],
    ['0.0009765625', 0.0009765625],
    ['.25', 0.25],
    ['20.', 20],
    ['1E+3', 1000],
    ['1e10', 1e10],
  ])('scale %s is taken', (written, scale) => {
    const text = fileOf(stat(' host.time\n', 'real64', 'host', ` scale="${written}"`));
    expect(configOf(text).metrics[0]?.source).toEqual({ kind: 'stat', stat: 'host.time', scale });
  });

  it.each(['vcpu.*.delay', 'vcpu.0.time', 'net.12.rx.bytes', 'block.*.rd.bytes', 'vm.remote_tlb_flush.sum'])(
    'statistic %s of a VM is known',
    (name) => expect(errorsOf(fileOf(stat(name, 'uint64', 'vm')))).toEqual([]),
  );

  // Names as in `virsh domstats` of libvirt 9 to 12, or in its manual.
  it.each([
    'cpu.cache.monitor.count',
    'cpu.cache.monitor.0.bank.*.bytes',
    'memory.bandwidth.monitor.0.node.count',
    'block.0.limits.request_alignment',
    'block.*.limits.iov_hw_max',
    'block.1.timed_group.0.rd_latency_max',
    'block.1.timed_group.count',
    'block.0.timed_group.0.zone_append_queue_depth_avg',
    'block.0.latency_histogram.zone_append.bin.3.start',
    'block.0.latency_histogram.flush.bin.count',
    'dirtyrate.vcpu.0.megabytes_per_second',
    'iothread.4.poll-shrink',
    'perf.stalled_cycles_frontend',
    'vcpu.0.halt_poll_fail_ns.sum',
    'vm.mmu_unsync.cur',
    'balloon.hugetlb_pgfail',
    'cpu.haltpoll.fail.time',
  ])('CASE B4: statistic %s of a VM is known', (name) => {
    const text = fileOf(stat(name, 'uint64', 'vm'));
    expect([...errorsOf(text), ...warningsOf(text)]).toEqual([]);
  });

  it.each<[string, RegExp]>([
    [
      'vcpu.0.nap',
      /Statistic "vcpu.0.nap" is not in the table of libvirt 12, and has a value only if "virsh domstats"/,
    ],
    ['vcpu.*.dealy', /did you mean "vcpu.\*.delay"\?$/],
    ['net.3.rx.byte', /did you mean "net.3.rx.bytes"\?$/],
    ['block.0.timed_group.1.rd_latency_mxa', /did you mean "block.0.timed_group.1.rd_latency_max"\?$/],
    ['net.rx.bytes', /did you mean "net.\*.rx.bytes"\?$/],
    ['cpu.0.time', /did you mean "vcpu.0.time"\?$/],
    ['block.0.zoned.model', /"virsh domstats" prints it$/],
    ['iothread.1.thread-pool-max', /"virsh domstats" prints it/],
    ['perf.Energy', /"virsh domstats" prints it/],
    ['vm.a.b.c', /"virsh domstats" prints it$/],
  ])('CASE B4: a field %s of a newer libvirt is taken, with a warning', (name, message) => {
    expectWarning(stat(`¦${name}`, 'string', 'vm'), message);
    expect(configOf(fileOf(stat(name, 'uint64', 'vm', ' scale="2"'))).metrics[0]?.source).toEqual({
      kind: 'stat',
      stat: name,
      scale: 2,
    });
  });

  it('a number may be published as any type of number, or as text', () => {
    for (const type of ['int32', 'real32', 'string']) expect(errorsOf(fileOf(stat('host.load.1', type)))).toEqual([]);
  });
});
