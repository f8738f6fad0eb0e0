import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { defer, firstValueFrom, of, shareReplay } from 'rxjs';

import { reasonOf } from '../../model/reason.ts';
import { failure, type Result, success } from '../../model/result.ts';
import { PROGRAM_URL } from '../../system/program.ts';
import { SINK_API, type OptionRule, type SinkDefinition } from '../definition.ts';
import { resolve } from './resolve-hook.ts';

/** A loaded sink, or a message that continues `Sink module ".." `. */
export type LoadedModule = Result<SinkDefinition>;

/** Milliseconds that a module may take to load. */
const LOAD_TIMEOUT_MS = 10_000;

const OPTION_TYPES: readonly OptionRule['type'][] = ['text', 'integer', 'seconds', 'boolean', 'choice'];

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const ruleError = ([name, rule]: readonly [string, unknown]): string | undefined => {
  const type = isRecord(rule) ? rule['type'] : undefined;
  if (!OPTION_TYPES.some((known) => known === type))
    return `its option "${name}" has no type, which is one of ${OPTION_TYPES.join(', ')}`;
  if (type === 'choice' && isRecord(rule) && !Array.isArray(rule['values']))
    return `its option "${name}" of type choice has no list of values`;
  return undefined;
};

/** Returns the error in the shape of a module's default export, or undefined. */
const shapeError = (exported: unknown): string | undefined => {
  if (exported === undefined) return 'has no default export; it must be what defineSink returns';
  if (!isRecord(exported))
    return `is no sink: its default export must be what defineSink returns, not a ${typeof exported}`;
  const { api, name, options, make } = exported;
  if (typeof name !== 'string' || name === '' || typeof make !== 'function' || !isRecord(options))
    return 'is no sink: its default export must be what defineSink returns, with a name, options and make';
  if (api !== SINK_API)
    return `was written for interface ${String(api)} of sinks, and this version has ${SINK_API}; look for another version of it`;
  const wrong = Object.entries(options)
    .map(ruleError)
    .find((error) => error !== undefined);
  return wrong === undefined ? undefined : `is no sink that can be configured: ${wrong}`;
};

// Registered once: Node keeps hooks for as long as the process lives.
const hooked$ = defer(() => {
  // Since Node 22.15, which the types do not cover.
  const { registerHooks } = nodeModule as {
    readonly registerHooks?: (hooks: { readonly resolve: unknown }) => void;
  };
  if (registerHooks === undefined) nodeModule.register('./resolve-hook.js', PROGRAM_URL);
  else registerHooks({ resolve });
  return of(true);
}).pipe(shareReplay(1));

// Place of a syntax error in the module, which only the first line of its stack has.
const lineOf = (error: unknown, url: string): string => {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const [, line] = stack.split(`${url}:`);
  return line === undefined ? '' : `, in line ${Number.parseInt(line, 10)}`;
};

const load = async (url: string): Promise<LoadedModule> => {
  const waiting = new AbortController();
  try {
    await firstValueFrom(hooked$);
    // The timer also keeps the process alive, which has nothing else to do at the start.
    const late = sleep(LOAD_TIMEOUT_MS, undefined, { signal: waiting.signal }).catch(() => undefined);
    const loaded: unknown = await Promise.race([import(url), late]);
    if (loaded === undefined)
      return failure(`does not load within ${LOAD_TIMEOUT_MS / 1000} s: does it await something at its top level?`);
    const exported = isRecord(loaded) ? loaded['default'] : undefined;
    const error = shapeError(exported);
    // `shapeError` has checked the shape.
    return error === undefined ? success(exported as SinkDefinition) : failure(error);
  } catch (error) {
    return failure(`fails when it is loaded: ${reasonOf(error)}${lineOf(error, url)}`);
  } finally {
    waiting.abort();
  }
};

// Each module is loaded once, also because its file may be inaccessible after --user.
const known = new Map<string, Promise<LoadedModule>>();
const failures = new Map<string, number>();

/**
 * Loads the module of a `<sink module="..">`: an absolute path, one relative to the folder of the configuration, or the
 * name of a package that is installed beside this one.
 */
export const loadModule = async (name: string, configuration: string): Promise<LoadedModule> => {
  const isPath = /^\.{0,2}\//.test(name);
  const file = path.resolve(path.dirname(configuration), name);
  const url = isPath ? pathToFileURL(file).href : name;
  const before = known.get(url);
  if (before !== undefined) return await before;
  if (isPath && !existsSync(file)) return failure(`cannot be found: there is no ${file}`);
  // Node caches failures by URL forever, so another try needs another URL.
  const failed = failures.get(url) ?? 0;
  const loading = load(failed === 0 || !isPath ? url : `${url}?${failed}`);
  known.set(url, loading);
  const loaded = await loading;
  // A module that could not be loaded may be fixed before the next reload.
  if (!loaded.ok) {
    known.delete(url);
    failures.set(url, failed + 1);
  }
  return loaded;
};

const OWN_FOLDER = fileURLToPath(PROGRAM_URL);

// Returns the file of the innermost frame of an error that is neither Node's nor the daemon's nor RxJS's. Frames of ES
// modules have URLs, others have paths.
const culprit = (error: unknown): string | undefined => {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const files = stack.split('\n').flatMap((line) => {
    const [, where] = /^\s+at (?:.*\()?((?:file:\/)?\/.*?)(?:\?\d+)?:\d+:\d+\)?$/.exec(line) ?? [];
    if (where === undefined) return [];
    return [where.startsWith('file:') ? fileURLToPath(where) : where];
  });
  return files.find((file) => !file.startsWith(OWN_FOLDER) && !file.includes('/node_modules/rxjs/'));
};

/**
 * Returns the loaded module whose code, or a file or package beside it, has thrown an error: the name in
 * `<sink module="..">`, or its URL. Undefined if there is none.
 */
export const moduleOf = (error: unknown): string | undefined => {
  // RxJS collects errors of teardowns in `errors`.
  const inner: unknown = isRecord(error) ? error['errors'] : undefined;
  const errors = [error, ...(Array.isArray(inner) ? (inner as readonly unknown[]) : [])];
  const files = errors.map(culprit).filter((file) => file !== undefined);
  const isIn = (part: string): boolean => files.some((file) => file.includes(part));
  const modules = [...known.keys()].map((url) => {
    const file = url.startsWith('file:') ? fileURLToPath(url) : `/node_modules/${url}/`;
    return { url, file, folder: url.startsWith('file:') ? `${path.dirname(file)}/` : file };
  });
  return (modules.find(({ file }) => isIn(file)) ?? modules.find(({ folder }) => isIn(folder)))?.url;
};
