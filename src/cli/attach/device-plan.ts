import {
  childAttribute,
  devicesReader,
  type DomainElement,
  isMetricsChannel,
} from '../../sources/libvirt/domain-xml.ts';
import type { DomainConfigScope } from '../../sources/libvirt/domain-devices.ts';
import { deviceXml, freeTarget } from './device-xml.ts';
import type { Device } from './devices.ts';

/** The devices of one description. */
export interface Definition {
  readonly where: DomainConfigScope;
  readonly devices: readonly DomainElement[];
}

/** A device as it is in one description. */
export interface Presence {
  readonly where: DomainConfigScope;
  readonly element: DomainElement;
}

/** A device with where it is; `xml` is how it would be attached. */
export interface Step {
  readonly device: Device;
  readonly there: readonly Presence[];
  readonly xml: string;
  /** Name of the disk that `xml` makes. */
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

/** The element of a device in a description; `undefined` if it is not there. */
export const findDevice = (device: Device, { devices }: Definition): DomainElement | undefined =>
  devices.find((element) => isDevice(device, element));

/** Without one, which libvirt cannot plug in, a running domain cannot get the channel. */
export const hasSerialController = ({ devices }: Definition): boolean =>
  devices.some(({ name, attributes }) => name === 'controller' && attributes['type'] === 'virtio-serial');

/** Name of the disk that an element is, such as `vda`. */
export const devOf = (element: DomainElement): string | undefined =>
  element.name === 'disk' ? childAttribute(element, 'target', 'dev') : undefined;

/** The guest may write to it. */
export const isWritable = (element: DomainElement): boolean =>
  element.name === 'disk' && !element.children.some(({ name }) => name === 'readonly');

/** Where each device is, and how to attach it: under a name that is free in all descriptions. `dac` and `optional` as of deviceXml. */
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
