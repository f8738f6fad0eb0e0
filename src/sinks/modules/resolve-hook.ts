// A module of somebody else's may lie anywhere, where neither this package nor RxJS is found by their names. Both are ours
// for it, so that there is one copy of each. Loaded on Node's thread for hooks where those are asynchronous.
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
