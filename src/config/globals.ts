import type {
  Config,
  DiskConfig,
  SinkConfig,
  SinkOption,
  TransportConfig,
  VirtioConfig,
  VmDiskConfig,
} from './config.ts';
import type { Place } from '../model/metric.ts';
import { didYouMean, quote } from '../model/suggest.ts';
import type { XmlElement } from '../xml/element-tree.ts';
import { absolutePath, attributeOf, child, diskSize, integer, isEmpty, line, textOf } from './values.ts';
import type { Reporter } from './values.ts';

/** Values of `<globals>`. */
export interface Globals extends Omit<Config, 'file' | 'metrics'> {
  /** Deadline of metrics without one of their own, in milliseconds. */
  readonly actionTimeout: number;
}

type PlaceOf = (element: XmlElement) => Place;

/** Longest duration in seconds: a day. Timers of Node overflow after 24 days. */
export const MAX_SECONDS = 86_400;
const DEFAULT_PERIOD = 5;
const DEFAULT_CHANNELS = 1024;
const DEFAULT_PARALLEL = 8;
const TRANSPORTS = ['vbd', 'virtio'] as const;
/** Default of the C daemon. */
const DEFAULT_DISK = '/dev/shm/vhostmd0';

const children = (element: XmlElement, name: string): readonly XmlElement[] =>
  element.children.filter((candidate) => candidate.name === name);

const number = (
  element: XmlElement | undefined,
  range: { readonly min: number; readonly max: number; readonly meaning: string },
  reporter: Reporter,
): number | undefined => element && integer(textOf(element), range, reporter);

const seconds = (max: number) => ({ min: 1, max, meaning: 'seconds' });

const disk = (element: XmlElement | undefined, reporter: Reporter): Omit<DiskConfig, 'name'> | undefined => {
  const path = child(element, 'path');
  const size = child(element, 'size');
  if (path === undefined || size === undefined) return undefined;
  const isDefault = element?.name === 'disk' && isEmpty(path, `${DEFAULT_DISK} counts; write it`, reporter);
  const found = {
    path: isDefault ? DEFAULT_DISK : absolutePath(textOf(path), reporter),
    size: diskSize(size, reporter),
  };
  if (found.path === undefined || found.size === undefined) return undefined;
  return { path: found.path, size: found.size };
};

const vmDisk = (element: XmlElement | undefined, placeOf: PlaceOf, reporter: Reporter): VmDiskConfig | undefined => {
  const found = disk(element, reporter);
  const pathElement = child(element, 'path');
  if (element === undefined || found === undefined || pathElement === undefined) return undefined;
  if (!found.path.includes('UUID')) {
    const example = '/run/vhostmd/UUID.disk';
    const { index } = textOf(pathElement);
    reporter.error(
      index,
      `<path> of <vm_disk> must contain the word UUID, found ${quote(found.path)}; write it like ${example}`,
    );
  }
  return { path: found.path, size: found.size, place: placeOf(element) };
};

const virtio = (globals: XmlElement, period: number, used: boolean, reporter: Reporter): VirtioConfig | undefined => {
  const elements = children(globals, 'virtio');
  const last = elements.at(-1);
  for (const ignored of elements.slice(0, -1)) {
    reporter.warn(ignored.index, 'Several <virtio>: this one is ignored, the last one counts; remove it');
  }
  if (last === undefined && !used) return undefined;
  const filled = (name: string): XmlElement | undefined => {
    const element = child(last, name);
    return element === undefined || isEmpty(element, 'the default counts; remove it', reporter) ? undefined : element;
  };
  const pathElement = filled('channel_path');
  const channelPath = pathElement && absolutePath(textOf(pathElement), reporter);
  const channels = { min: 1, max: 65_535, meaning: 'channels' };
  const expiration = number(filled('expiration_time'), seconds(3 * MAX_SECONDS), reporter) ?? 0;
  return {
    ...(channelPath === undefined ? {} : { channelPath }),
    maxChannels: number(filled('max_channels'), channels, reporter) ?? DEFAULT_CHANNELS,
    expirationTime: Math.max(expiration * 1000, 3 * period),
  };
};

// Like the C daemon, compares the first letters only: existing files have `virtio-serial`.
const transportName = (text: string): TransportConfig['name'] | undefined =>
  TRANSPORTS.find((known) => text.toLowerCase().startsWith(known));

const transports = (globals: XmlElement, placeOf: PlaceOf, reporter: Reporter): readonly TransportConfig[] => {
  const found: TransportConfig[] = [];
  const elements = children(globals, 'transport');
  for (const element of elements) {
    const { value, index } = textOf(element);
    const name = transportName(value);
    if (value === '') {
      isEmpty(element, 'it is no transport; write vbd or virtio, or remove it', reporter);
    } else if (value.toLowerCase().startsWith('xenstore')) {
      reporter.error(index, 'Transport xenstore is not supported; remove this <transport>, guests read vbd or virtio');
    } else if (name === undefined) {
      const hint = didYouMean(value, TRANSPORTS);
      reporter.error(index, `Unknown transport ${quote(value)}: expected one of ${TRANSPORTS.join(', ')}${hint}`);
    } else if (found.some((known) => known.name === name)) {
      reporter.warn(index, `Transport ${name} is given twice; remove one`);
    } else {
      if (name !== value.toLowerCase())
        reporter.warn(index, `Transport ${quote(value)} is taken as ${name}; write ${name}`);
      found.push({ name, place: placeOf(element) });
    }
  }
  const [first] = elements;
  const none = first !== undefined && elements.every((element) => textOf(element).value === '');
  return none ? [{ name: 'vbd', place: placeOf(first) }] : found;
};

const options = (sink: XmlElement, placeOf: PlaceOf, reporter: Reporter): readonly SinkOption[] =>
  children(sink, 'option').flatMap((element) => {
    const text = attributeOf(element, 'name');
    const name = text && line(text, reporter);
    return name === undefined ? [] : [{ name, value: textOf(element).value, place: placeOf(element) }];
  });

const sink = (element: XmlElement, placeOf: PlaceOf, reporter: Reporter): SinkConfig => {
  const typeText = attributeOf(element, 'type');
  const moduleText = attributeOf(element, 'module');
  const type = typeText && line(typeText, reporter);
  const module = moduleText && line(moduleText, reporter);
  if ((typeText === undefined) === (moduleText === undefined)) {
    reporter.error(element.index, '<sink> needs either type="..." or module="...", and not both');
  }
  return {
    ...(type === undefined ? {} : { type }),
    ...(module === undefined ? {} : { module }),
    options: options(element, placeOf, reporter),
    place: placeOf(element),
  };
};

/** Reads `<globals>`. An invalid value is reported and replaced by its default, so that checking continues. */
export const readGlobals = (globals: XmlElement, placeOf: PlaceOf, reporter: Reporter): Globals => {
  const period = number(child(globals, 'update_period'), seconds(MAX_SECONDS), reporter) ?? DEFAULT_PERIOD;
  const pathElement = child(globals, 'path');
  const parallel = { min: 1, max: 1024, meaning: 'actions' };
  const timeoutElement = child(globals, 'action_timeout');
  const timeout = number(timeoutElement, seconds(MAX_SECONDS), reporter) ?? period;
  if (timeoutElement !== undefined && timeout > period) {
    reporter.warn(textOf(timeoutElement).index, `<action_timeout> is reduced to the update period, ${period} s`);
  }
  const transportList = transports(globals, placeOf, reporter);
  const diskElement = child(globals, 'disk');
  const name = child(diskElement, 'name');
  const shared = disk(diskElement, reporter);
  const own = vmDisk(child(globals, 'vm_disk'), placeOf, reporter);
  const used = transportList.some(({ name }) => name === 'virtio');
  const channels = virtio(globals, period * 1000, used, reporter);
  const hasDisk = globals.children.some(({ name }) => name === 'disk' || name === 'vm_disk');
  const elements = children(globals, 'transport');
  const vbd = elements.find((element) => transportName(textOf(element).value) === 'vbd') ?? elements[0];
  if (vbd !== undefined && !hasDisk && transportList.some(({ name }) => name === 'vbd')) {
    reporter.error(
      vbd.index,
      'Transport vbd needs a metrics disk; add <disk> as the first or <vm_disk> after the transports',
    );
  }
  return {
    ...(name === undefined || shared === undefined ? {} : { disk: { name: textOf(name).value, ...shared } }),
    ...(own === undefined ? {} : { vmDisk: own }),
    ...(channels === undefined ? {} : { virtio: channels }),
    updatePeriod: period * 1000,
    path:
      (pathElement && !isEmpty(pathElement, "actions get the daemon's own PATH; write theirs", reporter)
        ? line(textOf(pathElement), reporter)
        : undefined) ?? '',
    transports: transportList,
    maxParallelActions: number(child(globals, 'max_parallel_actions'), parallel, reporter) ?? DEFAULT_PARALLEL,
    sinks: children(globals, 'sink').map((element) => sink(element, placeOf, reporter)),
    actionTimeout: Math.min(timeout, period) * 1000,
  };
};
