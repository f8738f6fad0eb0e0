import { formatDiagnostic, type Config, type Diagnostic } from '../config/config.ts';
import { readConfig } from '../config/parse.ts';
import type { Setup } from './events.ts';
import type { SinkContext } from '../sinks/definition.ts';
import type { DiskFile } from '../sinks/metrics-disk/disk-file.ts';
import { sinksFor } from '../sinks/index.ts';

/** A configuration that can be run, or the lines that say why not. */
export type Loaded =
  | { readonly ok: true; readonly setup: Setup; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly errors: readonly string[]; readonly warnings: readonly string[] };

const lines = (diagnostics: readonly Diagnostic[]): readonly string[] => diagnostics.map(formatDiagnostic);

/** Reads and checks a configuration file, the sinks it asks for included. Opens nothing; `opened` as of `sinksFor`. */
export const loadSetup = async (
  file: string,
  context: SinkContext,
  opened?: (path: string) => DiskFile | undefined,
): Promise<Loaded> => {
  const result = readConfig(file);
  const warnings = lines(result.warnings);
  if (!result.ok) return { ok: false, errors: lines(result.errors), warnings };
  const config: Config = result.config;
  const sinks = await sinksFor(config, context, opened);
  if (!sinks.ok) return { ok: false, errors: lines(sinks.errors), warnings };
  return { ok: true, setup: { config, sinks: sinks.sinks }, warnings };
};
