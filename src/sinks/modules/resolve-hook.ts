// Resolves `vhostmd` and `rxjs` to our copies for sink modules, which may be in any folder, so that there is one copy
// of each. Runs on Node's thread for hooks if those are asynchronous.
const OURS = /^(?:vhostmd|rxjs)(?:\/|$)/;

interface Context {
  readonly parentURL?: string | undefined;
}

/** Node's `resolve` hook. */
export const resolve = <Result>(
  specifier: string,
  context: Context,
  next: (specifier: string, context: Context) => Result,
): Result => next(specifier, OURS.test(specifier) ? { ...context, parentURL: import.meta.url } : context);
