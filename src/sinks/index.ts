import type { SchedulerLike } from 'rxjs';

import type { Config, Diagnostic, SinkConfig, SinkOption, TransportConfig } from '../config/config.ts';
import { didYouMean, quote } from '../config/suggest.ts';
import type { Place } from '../metric.ts';
import { LOG_FORMATS, logSink } from './log.ts';
import { metricsDisk } from './metrics-disk/disk.ts';
import { privateDisks } from './metrics-disk/private-disks.ts';
import type { Sink } from './sink.ts';
import { virtioSerial } from './virtio-serial/sink.ts';

/** What sinks need of the daemon: its monotonic clock, and where lines of text go (without line break). */
export interface SinkContext {
  readonly scheduler: SchedulerLike;
  readonly write: (line: string) => void;
}

/** A sink with what the configuration says of it. */
export interface ConfiguredSink extends Sink {
  /** Equal for sinks that are configured alike: over a reload such a sink stays open. */
  readonly key: string;
  /** Without it the daemon is of no use: if its first opening fails the start fails. */
  readonly required: boolean;
}

export type SinksResult =
  | { readonly ok: true; readonly sinks: readonly ConfiguredSink[] }
  | { readonly ok: false; readonly errors: readonly Diagnostic[] };

/** A `<sink type="..">`: its options with what each allows, the default first, and how to make it of them. */
interface SinkKind {
  readonly options: Readonly<Record<string, readonly string[]>>;
  readonly make: (option: (name: string) => string, context: SinkContext) => Sink;
}

/** The list: a new sink is one file and one line here. */
const KINDS: Readonly<Record<string, SinkKind>> = {
  log: {
    options: { format: LOG_FORMATS },
    make: (option, context) => logSink({ ...context, format: option('format') === 'lines' ? 'lines' : 'json' }),
  },
};

type Made = { readonly sink: ConfiguredSink } | { readonly errors: readonly Diagnostic[] };

const diagnostic = ({ file, line, column }: Place, message: string): Diagnostic => ({ file, line, column, message });

const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

const optionError = (type: string, { options }: SinkKind, option: SinkOption): readonly Diagnostic[] => {
  const names = Object.keys(options);
  const allowed = Object.hasOwn(options, option.name) ? options[option.name] : undefined;
  const found = quote(option.name);
  if (allowed === undefined) {
    const hint = didYouMean(option.name, names);
    return [diagnostic(option.place, `Sink ${type} has no option ${found}, only ${list(names)}${hint}`)];
  }
  if (allowed.includes(option.value)) return [];
  const hint = didYouMean(option.value, allowed);
  const message = `Option ${found} of sink ${type} must be one of ${list(allowed)}, found ${quote(option.value)}${hint}`;
  return [diagnostic(option.place, message)];
};

const duplicates = (options: readonly SinkOption[]): readonly Diagnostic[] =>
  options
    .filter(({ name }, index) => options.findIndex((other) => other.name === name) < index)
    .map(({ name, place }) => diagnostic(place, `Option ${quote(name)} is given twice; remove one`));

const configured = ({ type, module, options, place }: SinkConfig, context: SinkContext): Made => {
  if (module !== undefined)
    return { errors: [diagnostic(place, '<sink module=".."> is not supported by this version; remove it')] };
  const known = list(Object.keys(KINDS));
  if (type === undefined) return { errors: [diagnostic(place, `<sink> needs a type, one of ${known}`)] };
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (kind === undefined) {
    const hint = didYouMean(type, Object.keys(KINDS));
    const message = `Sink type ${quote(type)} is not supported by this version, which knows ${known}${hint}`;
    return { errors: [diagnostic(place, message)] };
  }
  const errors = [...options.flatMap((option) => optionError(type, kind, option)), ...duplicates(options)];
  if (errors.length > 0) return { errors };
  const value = (name: string): string =>
    options.find((option) => option.name === name)?.value ?? kind.options[name]?.[0] ?? '';
  const key = JSON.stringify([type, ...Object.keys(kind.options).map(value)]);
  return { sink: { ...kind.make(value, context), key, required: false } };
};

const required = (parts: readonly unknown[], sink: Sink): Made => ({
  sink: { ...sink, key: JSON.stringify(parts), required: true },
});

const transport = (
  { name, place }: TransportConfig,
  { disk, vmDisk, virtio }: Config,
  { scheduler }: SinkContext,
): readonly Made[] => {
  if (name === 'virtio') {
    if (virtio === undefined) return [];
    return [required([name, virtio], virtioSerial({ ...virtio, scheduler }))];
  }
  if (disk !== undefined) {
    const { path, size } = disk;
    return [required([name, path, size], metricsDisk({ path, size, scheduler }))];
  }
  // Private disks alone are a way to all VMs, too.
  if (vmDisk !== undefined) return [];
  return [{ errors: [diagnostic(place, 'Transport vbd needs a <disk> with a <path>, or a <vm_disk>; add one')] }];
};

const transports = (config: Config, context: SinkContext): readonly Made[] =>
  config.transports
    .filter(({ name }, index, used) => used.findIndex((other) => other.name === name) === index)
    .flatMap((used) => transport(used, config, context));

const ofEachDomain = ({ vmDisk }: Config, { scheduler }: SinkContext): readonly Made[] => {
  if (vmDisk === undefined) return [];
  const { path, size } = vmDisk;
  return [required(['vm_disk', path, size], privateDisks({ path, size, scheduler }))];
};

/** The sinks that a configuration asks for; every mistake comes with its place. Nothing is opened yet. */
export const sinksFor = (config: Config, context: SinkContext): SinksResult => {
  const made = [
    ...transports(config, context),
    ...ofEachDomain(config, context),
    ...config.sinks.map((sink) => configured(sink, context)),
  ];
  const errors = made.flatMap((one) => ('errors' in one ? one.errors : []));
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, sinks: made.flatMap((one) => ('sink' in one ? [one.sink] : [])) };
};
