import { describe, expect, it } from 'vitest';

import { limitUse } from '../../../src/sources/promise/limit-use.ts';
import { loadOf } from '../../../src/sources/promise/load.ts';
import { promiseFields } from '../../../src/sources/promise/promise-fields.ts';
import { cpusIn, promisesIn } from '../../../src/sources/promise/promises.ts';

const XML = (more: string, vcpu = "<vcpu placement='static'>4</vcpu>", devices = ''): string =>
  `<?xml version='1.0'?>\n<domain type='kvm' id='3'><name>a &amp; b</name>` +
  `<metadata><x:y xmlns:x='u'><cputune><quota>1</quota></cputune><disk/></x:y></metadata>` +
  `<memory unit='KiB'>1048576</memory><currentMemory unit='KiB'>524288</currentMemory>${vcpu}${more}` +
  `<devices><serial type='pty'><target port='0'/></serial>${devices}</devices></domain>`;
const read = (...parts: Parameters<typeof XML>) => promisesIn(XML(...parts));

describe('What a VM is entitled to', () => {
  it('is all of its virtual CPUs without limits', () => {
    expect(read('')).toEqual({
      vcpus: 4,
      cpus: 4,
      quota: 0,
      shares: 0,
      pinned: undefined,
      memory: 524_288,
      guaranteed: 0,
      memoryLimit: 0,
      disks: [],
      interfaces: [],
    });
  });

  it('is cut by the quota of each virtual CPU, and by that of all', () => {
    const each = '<cputune><shares>2048</shares><period>100000</period><quota>25000</quota>';
    expect(read(`${each}</cputune>`)).toMatchObject({ cpus: 1, quota: 25, shares: 2048 });
    const all = '<global_period>100000</global_period><global_quota>50000</global_quota>';
    expect(read(`${each}${all}</cputune>`)).toMatchObject({ cpus: 0.5, quota: 25 });
    expect(read(`<cputune>${all}</cputune>`)).toMatchObject({ cpus: 0.5, quota: 0 });
    // More than one CPU each is no limit; -1 is none.
    expect(read('<cputune><period>1000</period><quota>5000</quota></cputune>')).toMatchObject({ cpus: 4 });
    expect(read('<cputune><period>1000</period><quota>-1</quota></cputune>')).toMatchObject({ cpus: 4, quota: 0 });
  });

  it('is cut by quotas that were set without their periods', () => {
    // Recorded after `virsh schedinfo --live vcpu_quota=50000`, and so on (libvirt 9.0, cgroup v1).
    const tune =
      '<cputune>\n    <shares>512</shares>\n    <quota>50000</quota>\n    <global_quota>80000</global_quota>\n' +
      '    <emulator_quota>20000</emulator_quota>\n  </cputune>';
    expect(read(tune)).toMatchObject({ cpus: 0.8, quota: 50, shares: 512 });
    expect(read('<cputune><quota>50000</quota></cputune>')).toMatchObject({ cpus: 2, quota: 50 });
    expect(
      read('<cputune><emulator_quota>20000</emulator_quota><iothread_quota>1000</iothread_quota></cputune>'),
    ).toEqual(read(''));
  });

  it('counts the virtual CPUs that are online', () => {
    expect(read('', "<vcpu placement='static' current='2'>8</vcpu>")).toMatchObject({ vcpus: 2, cpus: 2 });
    expect(promisesIn('<domain><memory>7</memory></domain>')).toMatchObject({ vcpus: 0, memory: 7 });
  });

  it('has the CPUs of the host that all or single virtual CPUs may use', () => {
    const pins = "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='1' cpuset='2-3'/></cputune>";
    const two = (cpuset: string): string => `<vcpu${cpuset}>2</vcpu>`;
    expect(read(pins, two(''))['pinned']).toEqual(new Set([0, 2, 3]));
    expect(read('', two(" cpuset='0-3,^1'")).pinned).toEqual(new Set([0, 2, 3]));
    expect(read(pins, "<vcpu cpuset='7'>3</vcpu>").pinned).toEqual(new Set([0, 2, 3, 7]));
    expect(read(pins, '<vcpu>3</vcpu>').pinned).toBeUndefined();
  });

  it('has the memory that the host may not take, and the most that QEMU may use', () => {
    const tune =
      "<memtune><hard_limit unit='KiB'>2000000</hard_limit><min_guarantee unit='KiB'>4096</min_guarantee></memtune>";
    expect(read(tune)).toMatchObject({ guaranteed: 4096, memoryLimit: 2_000_000 });
    for (const backing of ['<locked/>', "<hugepages><page size='2048'/></hugepages>"])
      expect(read(`${tune}<memoryBacking>${backing}</memoryBacking>`).guaranteed).toBe(1_048_576);
    expect(read('<memoryBacking><nosharepages/></memoryBacking>').guaranteed).toBe(0);
  });

  it('has the limits of disks and interfaces, in their order', () => {
    const { disks, interfaces } = read(
      '',
      undefined,
      "<disk type='file'><target dev='vda'/><iotune><total_bytes_sec>1000</total_bytes_sec><read_iops_sec>5</read_iops_sec>" +
        '<total_bytes_sec_max>9</total_bytes_sec_max><group_name>g&amp;h</group_name></iotune></disk>' +
        "<disk type='block'><target dev='vdb'/></disk>" +
        "<interface type='bridge'><bandwidth><inbound average='128' peak='256' burst='1'/></bandwidth></interface>" +
        "<interface type='user'/>",
    );
    const NONE = { total: 0, read: 0, write: 0 };
    expect(disks).toEqual([
      { name: 'vda', group: 'g&h', bytes: { ...NONE, total: 1000 }, iops: { ...NONE, read: 5 } },
      { name: 'vdb', group: undefined, bytes: NONE, iops: NONE },
    ]);
    const free = { average: 0, peak: 0 };
    expect(interfaces).toEqual([
      { rx: { average: 128, peak: 256 }, tx: free },
      { rx: free, tx: free },
    ]);
  });

  it('is nothing of what is no XML of a domain, and no number of what is none', () => {
    expect(() => promisesIn('<capabilities/>')).toThrow('no <domain>');
    expect(read('<cputune><quota>many</quota><period></period></cputune>').cpus).toBe(4);
  });

  it('are these statistics', () => {
    const promises = read(
      '<cputune><period>100000</period><quota>50000</quota></cputune>',
      "<vcpu cpuset='0-99'>2</vcpu>",
      "<disk><target dev='vda'/><iotune><write_bytes_sec>7</write_bytes_sec></iotune></disk><interface><bandwidth><outbound average='3'/></bandwidth></interface>",
    );
    const fields = Object.fromEntries(promiseFields(promises, 8));
    expect(fields).toMatchObject({
      'promised.cpus': 1,
      'promised.cpus.usable': 8,
      'promised.cpu.quota': 50,
      'promised.block.0.write.bytes': 7,
      'promised.block.0.total.iops': 0,
      'promised.net.0.tx.average': 3,
      'promised.net.0.rx.peak': 0,
    });
  });
});

describe('A list of CPUs', () => {
  it.each([
    ['0', [0]],
    ['0-2,4', [0, 1, 2, 4]],
    ['0-3,^1,^2', [0, 3]],
    [' 1 , 2 ', [1, 2]],
    ['x,3-,9999999', []],
    ['', []],
  ])('%s', (list, cpus) => {
    expect([...cpusIn(list)]).toEqual(cpus);
  });
});

describe('What VMs may use together', () => {
  it('is the sum of their virtual CPUs that are online, and of their memory that is given now', () => {
    const quota = '<cputune><period>100000</period><quota>50000</quota></cputune>';
    expect(loadOf([read(quota), read('', "<vcpu current='2'>8</vcpu>")])).toEqual({ vcpus: 6, memory: 1_048_576 });
    expect(loadOf([])).toEqual({ vcpus: 0, memory: 0 });
  });
});

describe('The use of an I/O limit', () => {
  const NONE = { total: 0, read: 0, write: 0 };
  const disk = (name: string, iops: Partial<typeof NONE>, group?: string, bytes: Partial<typeof NONE> = {}) => ({
    name,
    group,
    iops: { ...NONE, ...iops },
    bytes: { ...NONE, ...bytes },
  });
  const work = (name: string, reads: number, writes: number) => ({
    name,
    reads,
    writes,
    bytesRead: reads * 512,
    bytesWritten: writes * 512,
  });

  it('is the greatest of all limits of all disks', () => {
    const works = [work('vda', 100, 50), work('vdb', 10, 10)];
    expect(limitUse([disk('vda', { total: 30 }), disk('vdb', { write: 4 })], works, 10)).toBe(50);
    expect(limitUse([disk('vda', { total: 30 }), disk('vdb', { write: 1 })], works, 10)).toBe(100);
    expect(limitUse([disk('vda', {}, undefined, { read: 5120 })], works, 10)).toBe(100);
  });

  it('is that of a group for its disks together', () => {
    const limits = [disk('vda', { total: 40 }, 'g'), disk('vdb', { total: 40 }, 'g')];
    expect(limitUse(limits, [work('vda', 100, 100), work('vdb', 100, 100)], 10)).toBe(100);
  });

  it('is 0 without limits, without work, and without time', () => {
    expect(limitUse([disk('vda', {})], [work('vda', 9, 9)], 1)).toBe(0);
    expect(limitUse([disk('vda', { total: 1 })], [], 1)).toBe(0);
    expect(limitUse([disk('vda', { total: 1 })], [work('vda', 9, 9)], 0)).toBe(0);
    expect(limitUse([], [work('vda', 9, 9)], 1)).toBe(0);
  });
});
