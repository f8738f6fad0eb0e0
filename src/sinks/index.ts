import type { Config, Diagnostic, SinkConfig, TransportConfig } from '../config/config.ts';
import { didYouMean, quote } from '../model/suggest.ts';
import type { Place } from '../model/metric.ts';
import { reasonOf } from '../model/reason.ts';
import { failure, type Result, success } from '../model/result.ts';
import type { SinkContext, SinkDefinition } from './definition.ts';
import { loadPart } from '../system/load-part.ts';
import { sandboxed } from './modules/sandbox.ts';
import type { DiskFile } from './metrics-disk/disk-file.ts';
import { loadModule } from './modules/load.ts';
import { diagnostic, list, readOptions } from './options.ts';
import type { Sink } from './sink.ts';

/** A sink with what the configuration says of it. */
export interface ConfiguredSink extends Sink {
  /** Equal for sinks that are configured alike: over a reload such a sink stays open. */
  readonly key: string;
  /** Without it the daemon is of no use: if its first opening fails the start fails. */
  readonly required: boolean;
}

// A module is asked for once: where the hooks for modules of others cannot be loaded, Node answers no import any more.
const once = <T>(load: () => Promise<T>): (() => Promise<T>) => {
  let loading: Promise<T> | undefined;
  return async () => await (loading ??= loadPart(load));
};

// Loaded as needed, but by the daemon, which loads all before it is ready.
const TRANSPORTS = {
  virtio: once(async () => (await import('./virtio-serial/sink.ts')).virtioSerial),
  disk: once(async () => (await import('./metrics-disk/shared-disk-sink.ts')).metricsDisk),
  privateDisks: once(async () => (await import('./metrics-disk/private-disks-sink.ts')).privateDisks),
};

/** The list: a new sink is one file and one line here. Loaded as needed: a start takes the time of what it uses. */
const KINDS: Readonly<Record<string, () => Promise<SinkDefinition>>> = {
  log: once(async () => (await import('./log.ts')).logDefinition),
  prometheus: once(async () => (await import('./prometheus/sink.ts')).prometheusDefinition),
};

/** Loads all that any configuration may ask for: later there may be no descriptor left, or another version in its place. */
export const loadSinks = async (): Promise<void> =>
  void (await Promise.all([...Object.values(TRANSPORTS), ...Object.values(KINDS)].map(async (load) => await load())));

type Made = Result<ConfiguredSink, readonly Diagnostic[]>;

const wrong = (place: Place, message: string): Made => failure([diagnostic(place, message)]);

const configured = (
  definition: SinkDefinition,
  origin: string,
  { options, place }: SinkConfig,
  context: SinkContext,
): Made => {
  const read = readOptions(definition.name, definition.options, options, place);
  if (!read.ok) return read;
  const key = JSON.stringify([origin, read.value]);
  return success({ ...definition.make(read.value, context), key, required: false });
};

const builtIn = async (sink: SinkConfig, context: SinkContext): Promise<Made> => {
  const { type, place } = sink;
  const known = list(Object.keys(KINDS));
  if (type === undefined) return wrong(place, `<sink> needs a type, one of ${known}, or a module`);
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (kind !== undefined) return configured(await kind(), type, sink, context);
  return wrong(place, `There is no sink type ${quote(type)}, only ${known}${didYouMean(type, Object.keys(KINDS))}`);
};

/** The end of a path tells most of it: it is not cut where a path of usual length ends. */
const named = (module: string): string => `Sink module ${quote(module, 512)}`;

/** Somebody else's: whatever it does, the others go on. */
const ofModule = async (module: string, file: string, sink: SinkConfig, context: SinkContext): Promise<Made> => {
  const { place } = sink;
  const loaded = await loadModule(module, file);
  if (!loaded.ok) return wrong(place, `${named(module)} ${loaded.error}`);
  const definition = loaded.value;
  try {
    const made = configured(definition, module, sink, context);
    if (!made.ok) return made;
    const { key, run } = made.value;
    if (typeof run !== 'function') return wrong(place, `${named(module)} is no sink: its make returns no run`);
    return success({ ...sandboxed({ ...made.value, name: definition.name }, context), key, required: false });
  } catch (error) {
    return wrong(place, `${named(module)} cannot be made of these options: ${reasonOf(error)}`);
  }
};

const required = (parts: readonly unknown[], sink: Sink): Made =>
  success({ ...sink, key: JSON.stringify(parts), required: true });

const transport = async (
  { name, place }: TransportConfig,
  { disk, vmDisk, virtio }: Config,
  { scheduler }: SinkContext,
  opened: (path: string) => DiskFile | undefined,
): Promise<readonly Made[]> => {
  if (name === 'virtio') {
    if (virtio === undefined) return [];
    const virtioSerial = await TRANSPORTS.virtio();
    return [required([name, virtio], virtioSerial({ ...virtio, scheduler }))];
  }
  if (disk !== undefined) {
    const { path, size } = disk;
    const metricsDisk = await TRANSPORTS.disk();
    return [required([name, path, size], metricsDisk({ path, size, scheduler, opened: () => opened(path) }))];
  }
  // Private disks alone are a way to all VMs, too.
  if (vmDisk !== undefined) return [];
  return [wrong(place, 'Transport vbd needs a <disk> with a <path>, or a <vm_disk>; add one')];
};

const ofEachDomain = async ({ vmDisk }: Config, { scheduler }: SinkContext): Promise<readonly Made[]> => {
  if (vmDisk === undefined) return [];
  const { path, size } = vmDisk;
  const privateDisks = await TRANSPORTS.privateDisks();
  return [required(['vm_disk', path, size], privateDisks({ path, size, scheduler }))];
};

const oneOfEach = (used: readonly TransportConfig[]): readonly TransportConfig[] =>
  used.filter(({ name }, index) => used.findIndex((other) => other.name === name) === index);

/**
 * The sinks that a configuration asks for; every mistake comes with its place. Modules are loaded, nothing is opened yet.
 * `opened` gives the shared disk that was opened while this process was root, once.
 */
export const sinksFor = async (
  config: Config,
  context: SinkContext,
  opened: (path: string) => DiskFile | undefined = () => undefined,
): Promise<Result<readonly ConfiguredSink[], readonly Diagnostic[]>> => {
  const sinks = [
    ...oneOfEach(config.transports).map(async (used) => await transport(used, config, context, opened)),
    ofEachDomain(config, context),
    ...config.sinks.map(async (sink) => [
      sink.module === undefined
        ? await builtIn(sink, context)
        : await ofModule(sink.module, config.file, sink, context),
    ]),
  ];
  const made = (await Promise.all(sinks)).flat();
  const errors = made.flatMap((one) => (one.ok ? [] : one.error));
  return errors.length > 0 ? failure(errors) : success(made.flatMap((one) => (one.ok ? one.value : [])));
};
