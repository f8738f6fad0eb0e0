import { Observable, share } from 'rxjs';

import { once } from '../../system/once.ts';
import { callback, libvirt } from './bindings.ts';

/** Registers libvirt's own event loop; libvirt demands this before the first connection is opened. */
export const registerEventLoop = once((): { readonly timer: number } => {
  const lib = libvirt();
  if (lib.registerEventImpl() < 0) throw new Error("libvirt's event loop cannot be registered");
  // The timer only wakes the loop: a worker thread that waits in it would keep the process from ending.
  const timer = lib.addTimeout(
    -1,
    callback.timeout(() => lib.updateTimeout(timer, -1)),
    null,
    null,
  );
  return { timer };
});

// libvirt has one loop for the process, not one for each subscription. `ending`: the last turn has not come back yet.
let loop: 'stopped' | 'running' | 'ending' = 'stopped';

const turn = (): void =>
  libvirt().runEvents.async(() => {
    if (loop === 'running') turn();
    else loop = 'stopped';
  });

/** Runs libvirt's event loop on one worker thread for as long as anyone is subscribed. Emits nothing. */
export const eventLoop$: Observable<never> = new Observable<never>(() => {
  const { timer } = registerEventLoop();
  const before = loop;
  loop = 'running';
  if (before === 'stopped') turn();
  return () => {
    loop = 'ending';
    libvirt().updateTimeout(timer, 0);
  };
}).pipe(share());
