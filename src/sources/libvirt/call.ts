import { Observable } from 'rxjs';

import { once } from '../../system/once.ts';
import { callback, errorAt, libvirt, type Library } from './bindings.ts';

/** virterror.h: there is no such domain; an error in the connection. */
export const NO_DOMAIN = 42;
export const RPC = 39;
/** virterror.h: a domain's lock or monitor could not be had in time. */
export const OPERATION_TIMEOUT = 68;

/** A libvirt call that failed; message and code (virErrorNumber) are libvirt's own. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError';
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message);
    this.code = code;
  }
}

// libvirt keeps its errors per thread, and asynchronous calls run on worker threads; its error callback is
// the only way to the text. Registering one also keeps libvirt from printing to stderr.
let lastError: { readonly message: string; readonly code: number } | undefined;
const installErrorHandler = once(() => {
  const handler = callback.error((_opaque, error) => {
    lastError = errorAt(error);
  });
  libvirt().setErrorFunc(null, handler);
});

type AsyncFunction<Args extends unknown[], Result> = {
  async: (...args: [...Args, (error: unknown, result: Result) => void]) => void;
};

/**
 * Calls libvirt on a worker thread: everything that may wait for the hypervisor goes through here.
 * `finish` always runs, on the main thread, also if nobody listens any more; it turns the native result into
 * a value, or throws. Failures are errors of type LibvirtError.
 */
export const call$ = <Args extends unknown[], Result, Value>(
  what: string,
  pick: (lib: Library) => AsyncFunction<Args, Result>,
  args: [...Args],
  finish: (result: Result) => Value,
): Observable<Value> =>
  new Observable((subscriber) => {
    const lib = libvirt();
    installErrorHandler();
    pick(lib).async(...args, (error: unknown, result: Result) => {
      try {
        if (error !== null && error !== undefined) throw error;
        const value = finish(result);
        subscriber.next(value);
        subscriber.complete();
      } catch (failure) {
        subscriber.error(
          failure instanceof LibvirtError ? new LibvirtError(`${what}: ${failure.message}`, failure.code) : failure,
        );
      }
    });
  });

/**
 * The latest error of libvirt, to throw where a call returned -1 or NULL. It is not used up: each failed call has
 * reported before it returned, and where several fail at once (libvirtd or many domains end) they fail alike.
 */
export const failed = (): LibvirtError => new LibvirtError(lastError?.message ?? 'unknown error', lastError?.code);

// virterror.h: internal error, system error, RPC, no such domain, operation invalid.
const GOING = new Set([1, 38, RPC, NO_DOMAIN, 55]);

/** Whether a call failed because the connection or the domain is going, and not because of what was asked. */
export const isGoing = (error: unknown): boolean =>
  error instanceof LibvirtError && error.code !== undefined && GOING.has(error.code);

// virterror.h: no support by the driver; invalid argument (an event that an old libvirtd does not know); operation
// denied; configuration, argument, operation unsupported; access denied.
const REFUSED = new Set([3, 8, 29, 67, 74, 84, 88]);

/** A call failed because the driver does not have it, or this user may not use it: it is done without. */
export const isRefused = (error: unknown): boolean =>
  error instanceof LibvirtError && error.code !== undefined && REFUSED.has(error.code);

/** Whether the domain is there, but something else held it for too long. */
export const isBusy = (error: unknown): boolean => error instanceof LibvirtError && error.code === OPERATION_TIMEOUT;
