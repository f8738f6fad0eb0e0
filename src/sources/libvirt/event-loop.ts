import { Observable, share } from 'rxjs';

import { callback, libvirt, type Library } from './bindings.ts';

let registered: { readonly timer: number } | undefined;
let running = false;
let wanted = false;

/** Registers libvirt's own event loop; libvirt demands this before the first connection is opened. */
export const registerEventLoop = (lib: Library = libvirt()): { readonly timer: number } => {
  if (registered !== undefined) return registered;
  if (lib.registerEventImpl() < 0) throw new Error("libvirt's event loop cannot be registered");
  // The timer only wakes the loop: a worker thread that waits in it would keep the process from ending.
  const timer = lib.addTimeout(
    -1,
    callback.timeout(() => lib.updateTimeout(timer, -1)),
    null,
    null,
  );
  registered = { timer };
  return registered;
};

const spin = (lib: Library): void => {
  running = true;
  lib.runEvents.async(() => {
    if (wanted) spin(lib);
    else running = false;
  });
};

/** Runs libvirt's event loop on one worker thread for as long as anyone is subscribed. Emits nothing. */
export const eventLoop$: Observable<never> = new Observable<never>(() => {
  const lib = libvirt();
  const { timer } = registerEventLoop(lib);
  wanted = true;
  if (!running) spin(lib);
  return () => {
    wanted = false;
    lib.updateTimeout(timer, 0);
  };
}).pipe(share());
