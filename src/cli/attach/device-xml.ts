import { escapeXml } from '../../model/metrics-xml.ts';
import { CHANNEL, childAttribute, type DomainElement } from '../../sources/libvirt/domain-xml.ts';
import type { Device } from './devices.ts';

/** Target of a disk: its name, unique in the domain, and its bus. */
export interface Target {
  readonly dev: string;
  readonly bus: string;
}

// Prefixes of disk names by bus (formatdomain, "target"). Other buses have no hot-plug.
const PREFIXES: Readonly<Record<string, string>> = { virtio: 'vd', xen: 'xvd', scsi: 'sd' };

/** Letters of the disk at an index from 0: a to z, aa to zz and so on. */
const letters = (index: number): string =>
  (index < 26 ? '' : letters(Math.floor(index / 26) - 1)) + String.fromCodePoint(97 + (index % 26));

/** Returns virtio, or the bus of the domain's hard disks if none of them is on virtio. */
const busFor = (disks: readonly DomainElement[]): string => {
  const hardDisks = disks.filter(({ attributes }) => (attributes['device'] ?? 'disk') === 'disk');
  const buses = new Set(hardDisks.map((disk) => childAttribute(disk, 'target', 'bus')));
  return Object.keys(PREFIXES).find((bus) => buses.has(bus)) ?? 'virtio';
};

/** Returns the first disk name that neither a disk of the domain (running or defined) nor `spokenFor` has. */
export const freeTarget = (disks: readonly DomainElement[], spokenFor: readonly string[] = []): Target => {
  const taken = new Set([...disks.map((disk) => childAttribute(disk, 'target', 'dev')), ...spokenFor]);
  const bus = busFor(disks);
  let index = 0;
  while (taken.has(`${PREFIXES[bus]}${letters(index)}`)) index += 1;
  return { dev: `${PREFIXES[bus]}${letters(index)}`, bus };
};

/**
 * Returns the XML of a device for libvirt. A disk has no cache mode and is not shareable, which would change its label.
 *
 * @param dac - True if libvirt has the DAC security model. Then the XML disables relabelling: libvirt would give the
 * file to QEMU's user for good, and a daemon without root's rights could no longer open it. Without DAC libvirt rejects
 * such a label.
 * @param optional - True if the domain may start without the disk.
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
