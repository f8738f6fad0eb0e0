import { catchError, concat, defer, EMPTY, type Observable, type OperatorFunction } from 'rxjs';

import { once } from '../../system/once.ts';
import { call$, isRefused } from './call.ts';
import { callback, type Pointer } from './bindings.ts';
import { checked } from './queries.ts';
import type { DomainChange } from './domain-changes.ts';
import type { Connection } from './types.ts';

// libvirt-domain.h
const EVENT_ID = {
  lifecycle: 0,
  ioErrorReason: 6,
  balloonChange: 13,
  deviceRemoved: 15,
  blockJob: 16,
  tunable: 17,
  deviceAdded: 19,
  migrationIteration: 20,
  jobCompleted: 21,
} as const;
// virConnectDomainEventBlockJobStatus: ready.
const BLOCK_JOB_READY = 3;

/** A change without the domain, which the callback has. */
export type Change = WithoutUuid<DomainChange>;
// For each kind of its own: Omit of a union would lose what only one kind has.
type WithoutUuid<T> = T extends unknown ? Omit<T, 'uuid'> : never;

/** Event callbacks of a connection. Called on the main thread; `domain` is valid during the call only. */
export interface Listener {
  readonly lifecycle: (domain: Pointer, event: number, detail: number) => void;
  /** Called when a device was added to the domain or removed from it. */
  readonly devices: (domain: Pointer) => void;
  /** Called for the events of `changes$`. */
  readonly changed: (domain: Pointer, change: Change) => void;
  readonly closed: (reason: number) => void;
}

// One native callback of each kind serves all connections, because unregistering one during a pending call is unsafe.
const listeners = new Map<Pointer, Listener>();
const nativeCallbacks = once(() => ({
  lifecycle: callback.lifecycle((conn, domain, event, detail) => {
    listeners.get(conn)?.lifecycle(domain, event, detail);
    return 0;
  }),
  device: callback.device((conn, domain) => listeners.get(conn)?.devices(domain)),
  close: callback.close((conn, reason) => listeners.get(conn)?.closed(reason)),
}));

const changeCallbacks = once((): readonly (readonly [event: number, callback: Pointer])[] => {
  const changed = (conn: Pointer, domain: Pointer, change: Change): void =>
    listeners.get(conn)?.changed(domain, change);
  const tuned = callback.params((conn, domain) => changed(conn, domain, { kind: 'tuned' }));
  return [
    [
      EVENT_ID.migrationIteration,
      callback.iteration((conn, domain) => changed(conn, domain, { kind: 'job', job: 'migration' })),
    ],
    [EVENT_ID.jobCompleted, callback.params((conn, domain) => changed(conn, domain, { kind: 'jobEnded' }))],
    [
      EVENT_ID.blockJob,
      callback.blockJob((conn, domain, _disk, _type, status) =>
        changed(conn, domain, { kind: 'blockJob', ended: status !== BLOCK_JOB_READY }),
      ),
    ],
    [EVENT_ID.ioErrorReason, callback.ioError((conn, domain) => changed(conn, domain, { kind: 'ioError' }))],
    [EVENT_ID.tunable, tuned],
    [EVENT_ID.balloonChange, callback.balloon((conn, domain) => changed(conn, domain, { kind: 'tuned' }))],
  ];
});

/**
 * Registers for a connection's events, and deregisters. Each registration holds a reference to the connection: without
 * `end$` virConnectClose would close nothing. Makes one call at a time, so that none is pending after an error.
 */
export const registerCallbacks = (
  conn: Pointer,
  listener: Listener,
): {
  readonly begin$: Observable<unknown>;
  /** Registers for the events of `changed`, as far as the driver has them. */
  readonly beginChanges$: Observable<unknown>;
  /** Kinds of events that libvirt reports; known when `begin$` has completed. */
  readonly reports: () => Connection['reports'];
  readonly end$: Observable<unknown>;
} => {
  const deregister: Observable<unknown>[] = [];
  const refused = new Set<keyof Connection['reports']>();
  const ignore = (): void => undefined;
  const registered = (result: number): void => {
    const id = checked(result);
    deregister.push(call$('virConnectDomainEventDeregisterAny', (lib) => lib.offEvent, [conn, id], ignore));
  };
  const unlessRefused = (kind: keyof Connection['reports']): OperatorFunction<unknown, unknown> =>
    catchError((error: unknown) => {
      if (!isRefused(error)) throw error;
      refused.add(kind);
      return EMPTY;
    });
  return {
    begin$: defer(() => {
      listeners.set(conn, listener);
      const { close, lifecycle, device } = nativeCallbacks();
      return concat(
        call$(
          'virConnectRegisterCloseCallback',
          (lib) => lib.onClose,
          [conn, close, null, null],
          // Drivers without a socket refuse, because their connections are never lost.
          (result) => {
            if (result < 0) return;
            deregister.push(call$('virConnectUnregisterCloseCallback', (lib) => lib.offClose, [conn, close], ignore));
          },
        ),
        call$(
          'virConnectDomainEventRegisterAny',
          (lib) => lib.onEvent,
          [conn, null, EVENT_ID.lifecycle, lifecycle, null, null],
          registered,
        ).pipe(unlessRefused('lifecycle')),
        ...[EVENT_ID.deviceAdded, EVENT_ID.deviceRemoved].map((event) =>
          call$(
            'virConnectDomainEventRegisterAny',
            (lib) => lib.onDeviceEvent,
            [conn, null, event, device, null, null],
            registered,
          ).pipe(unlessRefused('devices')),
        ),
      );
    }),
    beginChanges$: defer(() =>
      concat(
        ...changeCallbacks().map(([event, native]) =>
          call$(
            'virConnectDomainEventRegisterAny',
            (lib) => lib.onChangeEvent,
            [conn, null, event, native, null, null],
            registered,
          ).pipe(
            catchError((error: unknown) => {
              if (!isRefused(error)) throw error;
              return EMPTY;
            }),
          ),
        ),
      ),
    ),
    reports: () => ({ lifecycle: !refused.has('lifecycle'), devices: !refused.has('devices') }),
    end$: defer(() => {
      listeners.delete(conn);
      return concat(...deregister.toReversed());
    }),
  };
};
