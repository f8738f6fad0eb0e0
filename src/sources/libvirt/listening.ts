import { concat, defer, EMPTY, type Observable } from 'rxjs';

import { call$ } from './call.ts';
import { callback, type Pointer } from './library.ts';
import { checked } from './queries.ts';

// libvirt-domain.h
const EVENT_ID_LIFECYCLE = 0;

/** What a connection reports by itself; called on the main thread, `domain` is borrowed. */
export interface Listener {
  readonly lifecycle: (domain: Pointer, event: number) => void;
  readonly closed: (reason: number) => void;
}

// One native callback of each kind serves all connections: unregistering one that may still be on its way is unsafe.
const listeners = new Map<Pointer, Listener>();
let callbacks: { readonly lifecycle: Pointer; readonly close: Pointer } | undefined;
const nativeCallbacks = () =>
  (callbacks ??= {
    lifecycle: callback.lifecycle((conn, domain, event) => {
      listeners.get(conn)?.lifecycle(domain, event);
      return 0;
    }),
    close: callback.close((conn, reason) => listeners.get(conn)?.closed(reason)),
  });

/**
 * Registers for a connection's events, and takes that back. Each registration holds a reference to the connection:
 * without `end$` virConnectClose would close nothing. One call at a time, so that after an error none is on its way.
 */
export const listening = (
  conn: Pointer,
  listener: Listener,
): { readonly begin$: Observable<unknown>; readonly end$: Observable<unknown> } => {
  let closeRegistered = false;
  let eventsId: number | undefined;
  return {
    begin$: defer(() => {
      listeners.set(conn, listener);
      const { close, lifecycle } = nativeCallbacks();
      return concat(
        call$(
          'virConnectRegisterCloseCallback',
          (lib) => lib.onClose,
          [conn, close, null, null],
          // Drivers without a socket refuse: their connections are never lost.
          (result) => (closeRegistered = result >= 0),
        ),
        call$(
          'virConnectDomainEventRegisterAny',
          (lib) => lib.onEvent,
          [conn, null, EVENT_ID_LIFECYCLE, lifecycle, null, null],
          (result) => (eventsId = checked(result)),
        ),
      );
    }),
    end$: defer(() => {
      listeners.delete(conn);
      const ignore = (): void => undefined;
      return concat(
        eventsId === undefined
          ? EMPTY
          : call$('virConnectDomainEventDeregisterAny', (lib) => lib.offEvent, [conn, eventsId], ignore),
        closeRegistered
          ? call$('virConnectUnregisterCloseCallback', (lib) => lib.offClose, [conn, nativeCallbacks().close], ignore)
          : EMPTY,
      );
    }),
  };
};
