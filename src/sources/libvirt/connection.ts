import { concat, concatMap, EMPTY, endWith, finalize, ignoreElements, map, Observable, Subject } from 'rxjs';

import { call$, LibvirtError, RPC } from './call.ts';
import { definedDomain, describeDomain, domainHandles } from './domain-handles.ts';
import { withDoubts } from './doubts.ts';
import { eventLoop$, registerEventLoop } from './event-loop.ts';
import { driver$, hostFacts$, libraryVersion$ } from './host-facts.ts';
import { libvirt, type Pointer } from './bindings.ts';
import { type Listener, registerCallbacks } from './event-callbacks.ts';
import { open$ } from './open-connection.ts';
import { channelOf$, domainInfo$, domainStats$, listDefined$, listDomains$ } from './queries.ts';
import type { Connection, LifecycleEvent } from './types.ts';

// libvirt-domain.h and libvirt-host.h
const EVENT = { defined: 0, undefined: 1, started: 2, suspended: 3, resumed: 4, stopped: 5 } as const;
const CLOSE_REASONS = ['I/O error', 'end of file', 'no answer to keepalive', 'closed by the client'];

// A dead server is noticed after 5 s x (3 + 1).
const KEEPALIVE_SECONDS = 5;
const KEEPALIVE_COUNT = 3;

// Drivers without a socket know no keepalive: their refusal is no failure.
const keepAlive$ = (conn: Pointer): Observable<unknown> =>
  call$(
    'virConnectSetKeepAlive',
    (lib) => lib.setKeepAlive,
    [conn, KEEPALIVE_SECONDS, KEEPALIVE_COUNT],
    () => undefined,
  );

/**
 * Opens a read-only connection (uri null: libvirt's default). Emits it once; fails with a LibvirtError if it
 * cannot be opened or when it is lost. Unsubscribing closes it, once the calls on their way have come back.
 */
export const connect$ = (uri: string | null): Observable<Connection> =>
  new Observable<Connection>((subscriber) => {
    const lib = libvirt();
    registerEventLoop();
    const loop = eventLoop$.subscribe();
    const handles = domainHandles(lib);
    const lifecycle = new Subject<LifecycleEvent>();
    const devices = new Subject<string>();
    let open: { readonly conn: Pointer; readonly end$: Observable<unknown> } | undefined;
    let callsOnTheWay = 0;
    let ended = false;

    const dispose = (): void => {
      if (!ended || callsOnTheWay > 0) return;
      handles.dropAll();
      if (open === undefined) return loop.unsubscribe();
      const { conn, end$ } = open;
      concat(
        end$,
        call$(
          'virConnectClose',
          (l) => l.close,
          [conn],
          () => undefined,
        ),
      )
        .pipe(finalize(() => loop.unsubscribe()))
        .subscribe({ error: () => undefined });
    };
    // Counts until the native call has come back, whether or not anyone still listens: only then may the connection be closed.
    const counted = <T>(call$: Observable<T>): Observable<T> =>
      new Observable((observer) => {
        if (ended) return observer.error(new LibvirtError('connection closed', RPC));
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
        } else if (event === EVENT.defined) {
          lifecycle.next({ kind: 'defined', ...definedDomain(describeDomain(lib, handle)) });
        } else if (event === EVENT.undefined) {
          lifecycle.next({ kind: 'undefined', uuid: describeDomain(lib, handle).uuid });
        }
      },
      devices: (handle) => devices.next(describeDomain(lib, handle).uuid),
      closed: (reason) =>
        subscriber.error(new LibvirtError(`connection lost: ${CLOSE_REASONS[reason] ?? 'unknown reason'}`)),
    };

    const opened$ = open$(uri, { readOnly: true, asks: 'nobody' }, (conn) => {
      const { begin$, reports, end$ } = registerCallbacks(conn, listener);
      open = { conn, end$ };
      return { conn, begin$, reports };
    });
    // One call after the other: when one fails, none of this connection is on its way.
    const ready$ = opened$.pipe(
      concatMap(({ conn, begin$, reports }) =>
        ended
          ? EMPTY
          : concat(keepAlive$(conn), begin$).pipe(
              ignoreElements(),
              endWith(conn),
              concatMap(() => driver$(conn)),
              concatMap((driver) =>
                libraryVersion$(conn).pipe(map((version) => ({ opened: conn, reports, driver, version }))),
              ),
            ),
      ),
      map(({ opened, reports, driver, version }): Connection => {
        const host$ = hostFacts$(opened, driver);
        const list$ = listDomains$(opened, handles);
        const defined$ = listDefined$(lib, opened, handles);
        const channel$ = channelOf$(handles);
        const info$ = domainInfo$(handles);
        const stats$ = domainStats$(lib, handles);
        return withDoubts({
          product: `${driver} through libvirt ${version}`,
          host$: (wanted) => counted(host$(wanted)),
          reports: reports(),
          lifecycle$: lifecycle.asObservable(),
          devices$: devices.asObservable(),
          domains$: () => counted(list$()),
          defined$: () => counted(defined$()),
          channel$: (uuid) => counted(channel$(uuid)),
          info$: (domain) => counted(info$(domain)),
          stats$: (domains, groups) => counted(stats$(domains, groups)),
        });
      }),
    );
    counted(ready$).subscribe({
      next: (connection) => subscriber.next(connection),
      error: (error) => subscriber.error(error),
    });

    return () => {
      ended = true;
      lifecycle.complete();
      devices.complete();
      dispose();
    };
  });
