import { Observable, share } from 'rxjs';

import { once } from '../../system/once.ts';
import { callback, libvirt } from './bindings.ts';

/** Registers libvirt's default event loop, which it requires before the first connection. */
export const registerEventLoop = once((): { readonly timer: number } => {
  const lib = libvirt();
  if (lib.registerEventImpl() < 0) throw new Error("libvirt's event loop cannot be registered");
  // The timer only wakes the loop, because a worker thread that waits in it would keep the process from ending.
  const timer = lib.addTimeout(
    -1,
    callback.timeout(() => lib.updateTimeout(timer, -1)),
    null,
    null,
  );
  return { timer };
});

// libvirt has one loop per process. `ending`: the last turn has not returned yet.
let loop: 'stopped' | 'running' | 'ending' = 'stopped';

const turn = (): void =>
  libvirt().runEvents.async(() => {
    if (loop === 'running') turn();
    else loop = 'stopped';
  });

/** Runs libvirt's event loop on one worker thread while there are subscribers. Emits nothing. */
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
