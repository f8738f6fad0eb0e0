import type { Config, Diagnostic, SinkConfig, TransportConfig } from '../config/config.ts';
import { didYouMean, quote } from '../model/suggest.ts';
import type { Place } from '../model/metric.ts';
import { reasonOf } from '../model/reason.ts';
import { failure, type Result, success } from '../model/result.ts';
import type { SinkContext, SinkDefinition } from './definition.ts';
import { loadPart } from '../system/load-part.ts';
import { onceResolved } from '../system/once.ts';
import { sandboxed } from './modules/sandbox.ts';
import type { DiskFile } from './metrics-disk/disk-file.ts';
import { loadModule } from './modules/load.ts';
import { diagnostic, list, readOptions } from './options.ts';
import type { Sink } from './sink.ts';

/** A sink of the configuration. */
export interface ConfiguredSink extends Sink {
  /** Equal for sinks with equal configurations, which stay open over a reload. */
  readonly key: string;
  /** True if the start fails when the sink cannot open its target. */
  readonly required: boolean;
}

// Each module is imported once: if the hooks for sink modules cannot be loaded, Node no longer answers imports.
const once = <T>(load: () => Promise<T>): (() => Promise<T>) => onceResolved(async () => await loadPart(load));

// Loaded when needed. The daemon loads all of them before it is ready.
const TRANSPORTS = {
  virtio: once(async () => (await import('./virtio-serial/sink.ts')).virtioSerial),
  disk: once(async () => (await import('./metrics-disk/shared-disk-sink.ts')).metricsDisk),
  privateDisks: once(async () => (await import('./metrics-disk/private-disks-sink.ts')).privateDisks),
};

/** Types of `<sink>`: a new sink is one file and one line here. Loaded when needed, to start faster. */
const KINDS: Readonly<Record<string, () => Promise<SinkDefinition>>> = {
  log: once(async () => (await import('./log.ts')).logDefinition),
  prometheus: once(async () => (await import('./prometheus/sink.ts')).prometheusDefinition),
};

/** Loads the modules of all sinks, because later there may be no descriptor left, or another version installed. */
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

/** Names a module in messages. The end of a path matters most, so usual lengths are not truncated. */
const named = (module: string): string => `Sink module ${quote(module, 512)}`;

/** Makes the sink of a module, sandboxed so that it cannot affect other sinks. */
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
  // Private disks alone also reach all VMs.
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
 * Makes the sinks of a configuration, or reports every mistake with its place. Loads modules, but opens nothing.
 * `opened` returns the shared disk that was opened while this process was root, once.
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
