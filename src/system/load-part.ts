import { codeOf, reasonOf } from '../model/reason.ts';

/** A part of the program is missing, cut off or of another version, or cannot be opened. */
export class PartNotLoaded extends Error {
  override readonly name = 'PartNotLoaded';
}

// Of Node's loaders; an error of the system has a number.
const CODES: ReadonlySet<string | undefined> = new Set([
  'ERR_MODULE_NOT_FOUND',
  'MODULE_NOT_FOUND',
  'ERR_PACKAGE_PATH_NOT_EXPORTED',
  'ERR_INVALID_PACKAGE_CONFIG',
  'ERR_DLOPEN_FAILED',
]);

// A file that is cut off, and one that imports what another version does not export, are SyntaxErrors.
const isOfLoading = (error: unknown): boolean =>
  error instanceof SyntaxError ||
  (error instanceof Error && (error.name === 'NoBridge' || 'errno' in error || CODES.has(codeOf(error))));

/** Loads a part of the program that is loaded late. What the part throws by itself is a bug, and goes on as it is. */
export const loadPart = async <T>(load: () => Promise<T>): Promise<T> => {
  try {
    return await load();
  } catch (cause) {
    if (isOfLoading(cause)) throw new PartNotLoaded(reasonOf(cause), { cause });
    throw cause;
  }
};
