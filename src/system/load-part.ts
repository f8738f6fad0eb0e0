import { codeOf, reasonOf } from '../model/reason.ts';

/** A module of the program is missing, truncated, of another version, or cannot be opened. */
export class PartNotLoaded extends Error {
  override readonly name = 'PartNotLoaded';
}

// Codes of Node's module loaders. System errors have an `errno` instead.
const CODES: ReadonlySet<string | undefined> = new Set([
  'ERR_MODULE_NOT_FOUND',
  'MODULE_NOT_FOUND',
  'ERR_PACKAGE_PATH_NOT_EXPORTED',
  'ERR_INVALID_PACKAGE_CONFIG',
  'ERR_DLOPEN_FAILED',
]);

// A truncated file, and an import that another version does not export, are SyntaxErrors.
const isOfLoading = (error: unknown): boolean =>
  error instanceof SyntaxError ||
  (error instanceof Error && (error.name === 'NoBridge' || 'errno' in error || CODES.has(codeOf(error))));

/**
 * Imports a module of the program after the start. An error that the module throws itself is a bug and passes on.
 *
 * @throws PartNotLoaded if the module cannot be loaded.
 */
export const loadPart = async <T>(load: () => Promise<T>): Promise<T> => {
  try {
    return await load();
  } catch (cause) {
    if (isOfLoading(cause)) throw new PartNotLoaded(reasonOf(cause), { cause });
    throw cause;
  }
};
