import { concatMap, EMPTY, finalize, forkJoin, map, Observable, Subject } from 'rxjs';

import { call$, failed, LibvirtError } from './call.ts';
import { describeDomain, domainHandles } from './domain-handles.ts';
import { eventLoop$, registerEventLoop } from './event-loop.ts';
import { callback, libvirt, type Pointer } from './library.ts';
import { checked, domainInfo$, domainStats$, listDomains$, nodeInfo$ } from './queries.ts';
import type { Connection, LifecycleEvent } from './types.ts';

// libvirt-domain.h and libvirt-host.h
const EVENT_ID_LIFECYCLE = 0;
const EVENT = { started: 2, suspended: 3, resumed: 4, stopped: 5 } as const;
const CLOSE_REASONS = ['I/O error', 'end of file', 'no answer to keepalive', 'closed by the client'];

// A dead server is noticed after 5 s x (3 + 1).
const KEEPALIVE_SECONDS = 5;
const KEEPALIVE_COUNT = 3;

interface Listener {
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

// Drivers without a socket know no keepalive and no close callback: their refusal is no failure.
const prepare$ = (conn: Pointer) =>
  forkJoin({
    keepalive: call$(
      'virConnectSetKeepAlive',
      (lib) => lib.setKeepAlive,
      [conn, KEEPALIVE_SECONDS, KEEPALIVE_COUNT],
      () => true,
    ),
    close: call$(
      'virConnectRegisterCloseCallback',
      (lib) => lib.onClose,
      [conn, nativeCallbacks().close, null, null],
      () => true,
    ),
    events: call$(
      'virConnectDomainEventRegisterAny',
      (lib) => lib.onEvent,
      [conn, null, EVENT_ID_LIFECYCLE, nativeCallbacks().lifecycle, null, null],
      checked,
    ),
    node: nodeInfo$(conn),
  });

/**
 * Opens a read-only connection (uri null: libvirt's default). Emits it once; fails with a LibvirtError if it
 * cannot be opened or when it is lost. Unsubscribing closes it, once the calls on their way have come back.
 */
export const connect$ = (uri: string | null): Observable<Connection> =>
  new Observable<Connection>((subscriber) => {
    const lib = libvirt();
    registerEventLoop(lib);
    const loop = eventLoop$.subscribe();
    const handles = domainHandles(lib);
    const lifecycle = new Subject<LifecycleEvent>();
    let conn: Pointer | null = null;
    let callsOnTheWay = 0;
    let ended = false;

    const dispose = (): void => {
      if (!ended || callsOnTheWay > 0) return;
      handles.dropAll();
      if (conn === null) return loop.unsubscribe();
      listeners.delete(conn);
      call$(
        'virConnectClose',
        (l) => l.close,
        [conn],
        () => undefined,
      )
        .pipe(finalize(() => loop.unsubscribe()))
        .subscribe({ error: () => undefined });
    };
    // Counts until the native call has come back, whether or not anyone still listens: only then may the connection be closed.
    const counted = <T>(call$: Observable<T>): Observable<T> =>
      new Observable((observer) => {
        if (ended) return observer.error(new LibvirtError('connection closed'));
        callsOnTheWay += 1;
        call$
          .pipe(
            finalize(() => {
              callsOnTheWay -= 1;
              dispose();
            }),
          )
          .subscribe({
            next: (value) => observer.next(value),
            error: (error) => observer.error(error),
            complete: () => observer.complete(),
          });
      });

    const listener: Listener = {
      lifecycle: (handle, event) => {
        if (event === EVENT.started || event === EVENT.resumed) {
          const domain = handles.remember(handle);
          if (domain.id >= 0) lifecycle.next({ kind: 'running', domain });
        } else if (event === EVENT.suspended) {
          lifecycle.next({ kind: 'paused', uuid: describeDomain(lib, handle).uuid });
        } else if (event === EVENT.stopped) {
          const { uuid } = describeDomain(lib, handle);
          handles.drop(uuid);
          lifecycle.next({ kind: 'gone', uuid });
        }
      },
      closed: (reason) =>
        subscriber.error(new LibvirtError(`connection lost: ${CLOSE_REASONS[reason] ?? 'unknown reason'}`)),
    };

    const open$ = call$(
      'virConnectOpenReadOnly',
      (l) => l.open,
      [uri],
      (opened) => {
        if (opened === null) throw failed();
        conn = opened;
        listeners.set(opened, listener);
        return opened;
      },
    );
    const ready$ = open$.pipe(
      concatMap((opened) => (ended ? EMPTY : prepare$(opened).pipe(map(({ node }) => ({ opened, node }))))),
      map(({ opened, node }): Connection => {
        const list$ = listDomains$(opened, handles);
        const info$ = domainInfo$(handles);
        const stats$ = domainStats$(lib, handles);
        return {
          node,
          lifecycle$: lifecycle.asObservable(),
          domains$: () => counted(list$()),
          info$: (domain) => counted(info$(domain)),
          stats$: (domains, groups) => counted(stats$(domains, groups)),
        };
      }),
    );
    counted(ready$).subscribe({
      next: (connection) => subscriber.next(connection),
      error: (error) => subscriber.error(error),
    });

    return () => {
      ended = true;
      lifecycle.complete();
      dispose();
    };
  });
