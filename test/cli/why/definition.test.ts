import { describe, expect, it } from 'vitest';

import { definitionOf } from '../../../src/cli/why/definition.ts';

// As libvirt 9.0 prints it, shortened.
const XML = `<domain type='kvm' id='7'>
  <name>web1</name>
  <metadata><x:cputune xmlns:x='urn:x'><quota>1</quota></x:cputune><cputune><quota>2</quota></cputune></metadata>
  <vcpu>2</vcpu>
  <memory unit='KiB'>1048576</memory>
  <memtune><hard_limit unit='KiB'>2097152</hard_limit></memtune>
  <cputune><shares>100</shares><period>50000</period><quota>10000</quota><global_quota>300000</global_quota></cputune>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='/var/lib/a&amp;b.qcow2' index='2'/>
      <target dev='vda' bus='virtio'/>
      <iotune><total_iops_sec>100</total_iops_sec><read_bytes_sec>0</read_bytes_sec><total_iops_sec_max>500</total_iops_sec_max></iotune>
    </disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <disk type='network' device='disk'><source protocol='nbd' name='export'/><target dev='vdb' bus='virtio'/></disk>
    <interface type='bridge'><source bridge='br0'/><target dev='vnet3'/></interface>
  </devices>
</domain>`;

describe('The definition of a domain', () => {
  it('has its disks in their order, with source and limits', () => {
    const none = { total: 0, read: 0, write: 0 };
    const unlimited = { group: undefined, bytes: none, iops: none };
    expect(definitionOf(XML).disks).toEqual([
      { ...unlimited, name: 'vda', source: '/var/lib/a&b.qcow2', iops: { ...none, total: 100 } },
      { ...unlimited, name: 'sda', source: undefined },
      { ...unlimited, name: 'vdb', source: 'export' },
    ]);
  });

  it('has the number of interfaces, the CPUs that a quota leaves, and the limit of memory in KiB', () => {
    expect(definitionOf(XML)).toMatchObject({ interfaces: 1, cpus: 0.4, memoryLimit: 2_097_152 });
  });

  it.each(['', '<domain>', 'no XML'])('is empty for %j', (xml) => {
    expect(definitionOf(xml)).toMatchObject({ disks: [], interfaces: 0 });
  });
});
