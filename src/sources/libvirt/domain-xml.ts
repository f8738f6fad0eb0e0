import { attributeValue, child, type XmlElement } from '../../xml/element.ts';
import { parseXml } from '../../xml/parse.ts';

/** Name of the virtio-serial channel of the metrics: /dev/virtio-ports/NAME in a guest. */
export const CHANNEL = 'org.github.vhostmd.1';

/** A device of a domain. */
export interface DomainElement extends XmlElement {
  /** Text of the element in the domain's XML. */
  readonly xml: string;
}

/**
 * Reads the devices of these kinds (`disk`, `channel`) of a domain's XML, in order.
 *
 * @throws XmlError if it is not well-formed.
 */
export const devicesOf = (xml: string, ...kinds: readonly string[]): readonly DomainElement[] => {
  const domain = parseXml(xml, { root: 'domain' });
  const devices = domain.name === 'domain' ? (child(domain, 'devices')?.children ?? []) : [];
  return devices
    .filter(({ name }) => kinds.includes(name))
    .map((device) => ({ ...device, xml: xml.slice(device.index, device.end) }));
};

/** Returns an attribute of the first child element of that name. */
export const childAttribute = (device: XmlElement, name: string, attribute: string): string | undefined =>
  attributeValue(child(device, name), attribute);

/** True for the virtio-serial channel of the metrics. */
export const isMetricsChannel = (device: DomainElement): boolean =>
  device.name === 'channel' &&
  childAttribute(device, 'target', 'type') === 'virtio' &&
  childAttribute(device, 'target', 'name') === CHANNEL;

// Other types (pty, file) also have paths, and with mode `connect` QEMU does not listen on the socket.
const listensAt = (channel: DomainElement): string | undefined =>
  attributeValue(channel, 'type') === 'unix' && childAttribute(channel, 'source', 'mode') !== 'connect'
    ? childAttribute(channel, 'source', 'path')
    : undefined;

/** Returns the Unix socket of the metrics channel in the XML of a running domain, or undefined. Never throws. */
export const channelPathOf = (xml: string): string | undefined => {
  // Skips the parser for domains without the channel; libvirt writes this name without escapes.
  if (!xml.includes(CHANNEL)) return undefined;
  try {
    const channels = devicesOf(xml, 'channel').filter(isMetricsChannel);
    return channels.map(listensAt).find((path) => path !== undefined && path !== '');
  } catch {
    return undefined;
  }
};
