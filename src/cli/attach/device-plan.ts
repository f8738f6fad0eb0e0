import {
  childAttribute,
  devicesReader,
  type DomainElement,
  isMetricsChannel,
} from '../../sources/libvirt/domain-xml.ts';
import type { DomainConfigScope } from '../../sources/libvirt/domain-devices.ts';
import { deviceXml, freeTarget } from './device-xml.ts';
import type { Device } from './devices.ts';

/** Devices of one definition of a domain. */
export interface Definition {
  readonly where: DomainConfigScope;
  readonly devices: readonly DomainElement[];
}

/** A device in one definition. */
export interface Presence {
  readonly where: DomainConfigScope;
  readonly element: DomainElement;
}

/** A device, its presence in each definition, and the XML to attach it. */
export interface Step {
  readonly device: Device;
  readonly there: readonly Presence[];
  readonly xml: string;
  /** Name of the disk in `xml`, such as `vdb`. */
  readonly dev?: string;
}

const readDevices = devicesReader('disk', 'channel', 'controller');

export const definitionOf = (where: DomainConfigScope, xml: string): Definition => ({
  where,
  devices: readDevices(xml),
});

const isDevice = (device: Device, element: DomainElement): boolean => {
  if (device.kind === 'channel') return isMetricsChannel(element);
  const file = element.name === 'disk' ? childAttribute(element, 'source', 'file') : undefined;
  return file !== undefined && (file === device.path || file === device.real);
};

/** Returns the element of a device in a definition, or undefined. */
export const findDevice = (device: Device, { devices }: Definition): DomainElement | undefined =>
  devices.find((element) => isDevice(device, element));

/** True if a channel can be hot-plugged: libvirt cannot hot-plug the controller. */
export const hasSerialController = ({ devices }: Definition): boolean =>
  devices.some(({ name, attributes }) => name === 'controller' && attributes['type'] === 'virtio-serial');

/** Returns the name of the disk of an element, such as `vda`. */
export const devOf = (element: DomainElement): string | undefined =>
  element.name === 'disk' ? childAttribute(element, 'target', 'dev') : undefined;

/** True if the guest may write to the disk. */
export const isWritable = (element: DomainElement): boolean =>
  element.name === 'disk' && !element.children.some(({ name }) => name === 'readonly');

/** Plans how to attach each device, under a name that is free in all definitions. `dac`, `optional`: see deviceXml. */
export const planSteps = (
  devices: readonly Device[],
  definitions: readonly Definition[],
  dac: boolean,
  optional = false,
): readonly Step[] => {
  const disks = definitions.flatMap((definition) => definition.devices.filter(({ name }) => name === 'disk'));
  const steps: Step[] = [];
  for (const device of devices) {
    const there = definitions.flatMap((definition): readonly Presence[] => {
      const element = findDevice(device, definition);
      return element === undefined ? [] : [{ where: definition.where, element }];
    });
    const target = freeTarget(
      disks,
      steps.flatMap(({ dev }) => (dev === undefined ? [] : [dev])),
    );
    const xml = deviceXml(device, target, dac, optional);
    steps.push({ device, there, xml, ...(device.kind === 'channel' ? {} : { dev: target.dev }) });
  }
  return steps;
};
