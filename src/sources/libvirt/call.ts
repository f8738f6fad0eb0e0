import { Observable } from 'rxjs';

import { once } from '../../system/once.ts';
import { callback, errorAt, libvirt, type Library } from './bindings.ts';

/** virterror.h: no such domain; error in the connection. */
export const NO_DOMAIN = 42;
export const RPC = 39;
/** virterror.h: timeout while waiting for a domain's lock or monitor. */
export const OPERATION_TIMEOUT = 68;

/** A failed libvirt call, with libvirt's message and code (virErrorNumber). */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError';
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message);
    this.code = code;
  }
}

// libvirt stores errors per thread, and asynchronous calls run on worker threads, so only its error callback has the
// text. Registering one also stops libvirt from printing to stderr.
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
 * Calls libvirt on a worker thread, for every call that may wait for the hypervisor. `finish` converts the native
 * result to a value, or throws; it always runs, on the main thread, even after unsubscription. Errors with
 * LibvirtError.
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
 * Returns the latest error of libvirt, to throw after a call returned -1 or NULL. Each failed call reports before it
 * returns; if several fail at once (libvirtd or many domains end), their errors are alike.
 */
export const failed = (): LibvirtError => new LibvirtError(lastError?.message ?? 'unknown error', lastError?.code);

// virterror.h: internal error, system error, RPC, no such domain, operation invalid.
const GOING = new Set([1, 38, RPC, NO_DOMAIN, 55]);

/** True if a call failed because the connection or the domain is ending, not because of its arguments. */
export const isGoing = (error: unknown): boolean =>
  error instanceof LibvirtError && error.code !== undefined && GOING.has(error.code);

// virterror.h: no support by the driver; invalid argument (an event unknown to an old libvirtd); operation denied;
// configuration, argument, operation unsupported; access denied.
const REFUSED = new Set([3, 8, 29, 67, 74, 84, 88]);

/** True if a call failed because the driver lacks it or this user may not use it. The daemon works without it. */
export const isRefused = (error: unknown): boolean =>
  error instanceof LibvirtError && error.code !== undefined && REFUSED.has(error.code);

/** True if a call failed because another one held the domain for too long. */
export const isBusy = (error: unknown): boolean => error instanceof LibvirtError && error.code === OPERATION_TIMEOUT;
