import { formatDiagnostic } from '../../src/config/config.ts';
import type { Config, Diagnostic } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse.ts';

const DISK = '<disk><name>d</name><path>/dev/shm/d</path><size unit="k">256</size></disk>';
const METRIC = '<metric type="string" context="host"><name>HostName</name><action>hostname</action></metric>';

/** Parts of a file; a missing part gets a valid text. */
export interface Parts {
  readonly disk?: string;
  readonly virtio?: string;
  readonly period?: string;
  readonly path?: string;
  readonly transports?: string;
  readonly additions?: string;
  readonly metrics?: string;
}

/** Returns a configuration file of several lines with some of its parts replaced. */
export const fileOf = ({
  disk = DISK,
  virtio = '',
  period = '<update_period>5</update_period>',
  path = '<path>/usr/bin:/bin</path>',
  transports = '<transport>vbd</transport>',
  additions = '',
  metrics = METRIC,
}: Parts = {}): string =>
  ['<vhostmd>', '<globals>', disk, virtio, period, path, transports, additions, '</globals>', '<metrics>', metrics]
    .concat('</metrics>', '</vhostmd>', '')
    .join('\n');

const lines = (diagnostics: readonly Diagnostic[]): string[] => diagnostics.map(formatDiagnostic);

/** Returns the errors of a text, as printed; an empty list if it is accepted. */
export const errorsOf = (text: string | Uint8Array): string[] => {
  const result = parseConfig(text, 'f');
  return result.ok ? [] : lines(result.error);
};

/** Returns the warnings of a text, as printed. */
export const warningsOf = (text: string): string[] => lines(parseConfig(text, 'f').warnings);

/** Returns the configuration of a valid text; throws if it is refused. */
export const configOf = (text: string | Uint8Array): Config => {
  const result = parseConfig(text, 'f');
  if (!result.ok) throw new Error(lines(result.error).join('\n'));
  return result.value;
};

/** Removes the mark ¦ from a text; returns its place as the start of a diagnostic. */
export const marked = (text: string): { readonly text: string; readonly place: string } => {
  const before = text.split('¦', 1)[0] ?? '';
  const rows = before.split('\n');
  return { text: text.replace('¦', ''), place: `f:${rows.length}:${Array.from(rows.at(-1) ?? '').length + 1}: ` };
};

/** As `marked`, for a file of parts. */
export const markedFile = (parts: Parts): { readonly text: string; readonly place: string } => marked(fileOf(parts));

/** Returns a `<metric>` with the given content. */
export const metric = (inside: string, attributes = 'type="string" context="host"'): string =>
  `<metric ${attributes}>${inside}</metric>`;
