import { escapeXml } from '../../model/metrics-xml.ts';
import { CHANNEL, childAttribute, type DomainElement } from '../../sources/libvirt/domain-xml.ts';
import type { Device } from './devices.ts';

/** Where a disk is plugged in: its name, which no other disk of the domain has, and the bus. */
export interface Target {
  readonly dev: string;
  readonly bus: string;
}

// Prefixes of the names of disks, by bus (formatdomain, "target"). Other buses cannot be plugged into a running domain.
const PREFIXES: Readonly<Record<string, string>> = { virtio: 'vd', xen: 'xvd', scsi: 'sd' };

/** a to z, aa to zz and so on, from 0. */
const letters = (index: number): string =>
  (index < 26 ? '' : letters(Math.floor(index / 26) - 1)) + String.fromCodePoint(97 + (index % 26));

/** virtio, or the bus that the domain's hard disks are on, if none of them is on virtio. */
const busFor = (disks: readonly DomainElement[]): string => {
  const hardDisks = disks.filter(({ attributes }) => (attributes['device'] ?? 'disk') === 'disk');
  const buses = new Set(hardDisks.map((disk) => childAttribute(disk, 'target', 'bus')));
  return Object.keys(PREFIXES).find((bus) => buses.has(bus)) ?? 'virtio';
};

/** The first free name for a disk, seen all disks of the domain (running and defined), and names that are spoken for. */
export const freeTarget = (disks: readonly DomainElement[], spokenFor: readonly string[] = []): Target => {
  const taken = new Set([...disks.map((disk) => childAttribute(disk, 'target', 'dev')), ...spokenFor]);
  const bus = busFor(disks);
  let index = 0;
  while (taken.has(`${PREFIXES[bus]}${letters(index)}`)) index += 1;
  return { dev: `${PREFIXES[bus]}${letters(index)}`, bus };
};

/**
 * The device as libvirt takes it. A disk has no cache mode and is not shareable, which would change its label. `dac`:
 * libvirt has this security model, and would give the file to QEMU's user and never back, so that a daemon without
 * root's rights could no longer open it; without the model it refuses such a label. `optional`: a domain whose disk is
 * missing starts without it.
 */
export const deviceXml = (device: Device, { dev, bus }: Target, dac: boolean, optional = false): string => {
  if (device.kind === 'channel') {
    return `<channel type='unix'>
  <source mode='bind'/>
  <target type='virtio' name='${CHANNEL}'/>
</channel>
`;
  }
  const from = `file='${escapeXml(device.path)}'${optional ? " startupPolicy='optional'" : ''}`;
  const source = dac
    ? `<source ${from}>
    <seclabel model='dac' relabel='no'/>
  </source>`
    : `<source ${from}/>`;
  return `<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/>
  ${source}
  <target dev='${dev}' bus='${bus}'/>
  <readonly/>
</disk>
`;
};
