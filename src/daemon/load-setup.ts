import { formatDiagnostic, type Diagnostic } from '../config/config.ts';
import { readConfig } from '../config/parse.ts';
import { failure, type Result, success } from '../model/result.ts';
import type { Setup } from './events.ts';
import type { SinkContext } from '../sinks/definition.ts';
import type { DiskFile } from '../sinks/metrics-disk/disk-file.ts';
import { sinksFor } from '../sinks/index.ts';

/** A configuration that can be run, or its errors as lines. */
export type Loaded = Result<Setup, readonly string[]> & { readonly warnings: readonly string[] };

const lines = (diagnostics: readonly Diagnostic[]): readonly string[] => diagnostics.map(formatDiagnostic);

/** Reads and checks a configuration file and makes its sinks. Opens nothing. `opened`: see `sinksFor`. */
export const loadSetup = async (
  file: string,
  context: SinkContext,
  opened?: (path: string) => DiskFile | undefined,
): Promise<Loaded> => {
  const result = readConfig(file);
  const warnings = lines(result.warnings);
  if (!result.ok) return { ...failure(lines(result.error)), warnings };
  const config = result.value;
  const sinks = await sinksFor(config, context, opened);
  return { ...(sinks.ok ? success({ config, sinks: sinks.value }) : failure(lines(sinks.error))), warnings };
};
