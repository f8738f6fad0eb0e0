import type { MetricDefinition, Place } from '../model/metric.ts';
import type { Result } from '../model/result.ts';

/** `<disk>`: the metrics disk that all guests share. */
export interface DiskConfig {
  readonly name: string;
  readonly path: string;
  /** Bytes; a multiple of 64 KiB. */
  readonly size: number;
}

/** `<virtio>`: limits of the virtio-serial transport. */
export interface VirtioConfig {
  readonly channelPath?: string;
  readonly maxChannels: number;
  /** Milliseconds. */
  readonly expirationTime: number;
}

/** `<vm_disk>`: a disk for each domain; `path` contains the token UUID. */
export interface VmDiskConfig {
  readonly path: string;
  /** Bytes; a multiple of 64 KiB. */
  readonly size: number;
  readonly place: Place;
}

/** `<option name="..">..</option>` of a sink. */
export interface SinkOption {
  readonly name: string;
  readonly value: string;
  readonly place: Place;
}

/** `<sink>`: a sink besides the transports. */
export interface SinkConfig {
  readonly type?: string;
  readonly module?: string;
  readonly options: readonly SinkOption[];
  readonly place: Place;
}

export interface TransportConfig {
  readonly name: 'vbd' | 'virtio';
  readonly place: Place;
}

/** A checked configuration file. Durations are in milliseconds, sizes in bytes. */
export interface Config {
  readonly file: string;
  readonly disk?: DiskConfig;
  readonly virtio?: VirtioConfig;
  readonly updatePeriod: number;
  /** PATH of the actions; empty for that of the daemon. */
  readonly path: string;
  readonly transports: readonly TransportConfig[];
  readonly maxParallelActions: number;
  readonly vmDisk?: VmDiskConfig;
  readonly sinks: readonly SinkConfig[];
  readonly metrics: readonly MetricDefinition[];
}

/** An error or a warning at a place in a configuration file: what is wrong and what to do. */
export interface Diagnostic extends Place {
  readonly message: string;
}

/** Result of reading a configuration: the errors if there are any, else the configuration; warnings in both cases. */
export type ConfigResult = Result<Config, readonly Diagnostic[]> & { readonly warnings: readonly Diagnostic[] };

/** Formats a diagnostic as `file:line:column: message`, which editors can jump to. */
export const formatDiagnostic = ({ file, line, column, message }: Diagnostic): string =>
  line === WHOLE_FILE ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`;

/** `line` of a diagnostic about the file as a whole. */
export const WHOLE_FILE = 0;
