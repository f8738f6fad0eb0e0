import { readFileSync, statSync } from 'node:fs';

import { type ConfigResult, type Diagnostic, WHOLE_FILE } from './config.ts';
import { readGlobals } from './globals.ts';
import { readMetrics } from './metrics.ts';
import { decodeBytes, MAX_FILE_BYTES, placeAt, toSource, XmlError } from '../xml/positions.ts';
import type { Source } from '../xml/positions.ts';
import { causeOf } from '../model/reason.ts';
import { failure, success } from '../model/result.ts';
import { checkStructure } from './structure.ts';
import { parseTree } from '../xml/element-tree.ts';
import type { XmlElement } from '../xml/element-tree.ts';
import { child } from './values.ts';
import type { Reporter } from './values.ts';

/** Most diagnostics of one file; more would scroll the first ones away. The last one counts the rest. */
const MAX_TOLD = 20;

interface Complaint {
  readonly index: number;
  readonly message: string;
}

const diagnostics = (source: Source, complaints: readonly Complaint[]): readonly Diagnostic[] => {
  const sorted = complaints.toSorted((a, b) => a.index - b.index);
  const rest = sorted.length - MAX_TOLD;
  const next = sorted[MAX_TOLD];
  const told = sorted.slice(0, MAX_TOLD);
  const all = next === undefined ? told : [...told, { index: next.index, message: `And ${rest} more from here on` }];
  return all.map(({ index, message }) => ({ ...placeAt(source, index), message }));
};

const lineAt = (source: Source, index: number | undefined): string =>
  index === undefined ? '' : ` (line ${placeAt(source, index).line})`;

const unreadable = (source: Source, { index, message }: XmlError): ConfigResult => ({
  ...failure([{ ...placeAt(source, index), message }]),
  warnings: [],
});

const readTree = (source: Source, root: XmlElement): ConfigResult => {
  const errors: Complaint[] = [];
  const warnings: Complaint[] = [];
  const reporter: Reporter = {
    error: (index, message, see) => errors.push({ index, message: message + lineAt(source, see) }),
    warn: (index, message, see) => warnings.push({ index, message: message + lineAt(source, see) }),
  };
  checkStructure(root, reporter.error);
  const placeOf = (element: XmlElement) => placeAt(source, element.index);
  const globalsElement = child(root, 'globals');
  const metricsElement = child(root, 'metrics');
  if (globalsElement !== undefined && metricsElement !== undefined) {
    const { actionTimeout, ...globals } = readGlobals(globalsElement, placeOf, reporter);
    const metrics = readMetrics(metricsElement, { ...globals, actionTimeout }, placeOf, reporter);
    if (errors.length === 0) {
      return { ...success({ file: source.file, ...globals, metrics }), warnings: diagnostics(source, warnings) };
    }
  }
  return { ...failure(diagnostics(source, errors)), warnings: diagnostics(source, warnings) };
};

/** Parses and checks the text of a configuration file. `file` is for messages only. Never throws. */
export const parseConfig = (text: Uint8Array | string, file: string): ConfigResult => {
  const { source, problem } = typeof text === 'string' ? { source: toSource(file, text) } : decodeBytes(file, text);
  if (problem !== undefined) return unreadable(source, problem);
  try {
    return readTree(source, parseTree(source));
  } catch (error) {
    return unreadable(
      source,
      error instanceof XmlError ? error : new XmlError(0, `Cannot be read as XML: ${String(error)}`),
    );
  }
};

const reason = (error: unknown): string => {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'There is no such file; give the path of a configuration file';
  if (code === 'EACCES') return 'No permission to read the file; check its owner and mode';
  return `Cannot be read: ${causeOf(error)}`;
};

/** Reads, parses and checks a configuration file. A file that cannot be read is one error at `WHOLE_FILE`. */
export const readConfig = (file: string): ConfigResult => {
  const unusable = (message: string): ConfigResult => ({
    ...failure([{ file, line: WHOLE_FILE, column: 0, message }]),
    warnings: [],
  });
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) return unusable('This is a directory; expected a file');
    if (!stat.isFile()) return unusable('This is not a regular file; expected one');
    if (stat.size > MAX_FILE_BYTES) {
      return unusable(`The file has ${stat.size} bytes; at most ${MAX_FILE_BYTES} are read`);
    }
    const bytes = readFileSync(file);
    if (bytes.length === 0) return unusable('The file is empty; expected <vhostmd>');
    return parseConfig(bytes, file);
  } catch (error) {
    return unusable(reason(error));
  }
};
