import {
  concat,
  concatMap,
  defer,
  EMPTY,
  endWith,
  finalize,
  ignoreElements,
  map,
  Observable,
  Subject,
  tap,
  throwError,
} from 'rxjs';

import { once } from '../../system/once.ts';
import { monotonicScheduler } from '../../system/monotonic.ts';
import { call$, LibvirtError, RPC } from './call.ts';
import { callsInFlight } from './calls-in-flight.ts';
import { describeDomain, domainHandles } from './domain-handles.ts';
import { withDoubts } from './doubts.ts';
import { eventLoop$, registerEventLoop } from './event-loop.ts';
import { driver$, hostFacts$, libraryVersion$ } from './host-facts.ts';
import { type Library, libvirt, type Pointer, takeString } from './bindings.ts';
import { type DomainChange, suspensionOf } from './domain-changes.ts';
import { type Listener, registerCallbacks } from './event-callbacks.ts';
import { lifecycleReader } from './lifecycle-reader.ts';
import { lostWhenSilent$ } from './liveness.ts';
import { localInfo } from './local-info.ts';
import { open$ } from './open-connection.ts';
import { domainInfo$, domainStats$, listDefined$, listDomains$ } from './queries.ts';
import { channelOf$, diskJob$, domainIsHeld$, domainJob$, domainXml$ } from './domain-queries.ts';
import { stateFolder } from './state-folder.ts';
import type { Connection, LifecycleEvent } from './types.ts';

// virDomainEventType of libvirt-domain.h
const SUSPENDED = 3;
const RESUMED = 4;
// libvirt-host.h
const CLOSE_REASONS = ['I/O error', 'end of file', 'no answer to keepalive', 'closed by the client'];

const uriOf = (lib: Library, conn: Pointer): string => {
  const uri = lib.uri(conn);
  return uri === null ? '' : takeString(uri);
};

const close$ = (conn: Pointer): Observable<unknown> =>
  call$(
    'virConnectClose',
    (lib) => lib.close,
    [conn],
    () => undefined,
  );

/**
 * Opens a read-only connection (uri null: libvirt's default). Emits it once; errors with a LibvirtError if it cannot be
 * opened or is lost. Unsubscribing closes it after all pending calls have returned.
 */
export const connect$ = (uri: string | null): Observable<Connection> =>
  new Observable<Connection>((subscriber) => {
    const lib = libvirt();
    registerEventLoop();
    const loop = eventLoop$.subscribe();
    const handles = domainHandles(lib);
    const lifecycle = new Subject<LifecycleEvent>();
    const devices = new Subject<string>();
    const changes = new Subject<DomainChange>();
    const inFlight = callsInFlight();
    // Steps of the teardown, in this order.
    const closing: Observable<unknown>[] = [];
    const counted = <T>(call$: Observable<T>): Observable<T> =>
      defer(() =>
        subscriber.closed ? throwError(() => new LibvirtError('connection closed', RPC)) : inFlight.counted(call$),
      );

    const readLifecycle = lifecycleReader(lib, handles);
    const changed: Listener['changed'] = (handle, change) =>
      changes.next({ ...change, uuid: describeDomain(lib, handle).uuid });
    const listener: Listener = {
      lifecycle: (handle, event, detail) => {
        const read = readLifecycle(handle, event);
        if (read !== undefined) lifecycle.next(read);
        if (event === SUSPENDED) changed(handle, { kind: 'paused', reason: suspensionOf(detail) });
        else if (event === RESUMED) changed(handle, { kind: 'resumed' });
      },
      devices: (handle) => devices.next(describeDomain(lib, handle).uuid),
      changed,
      closed: (reason) =>
        subscriber.error(new LibvirtError(`connection lost: ${CLOSE_REASONS[reason] ?? 'unknown reason'}`)),
    };

    const opened$ = open$(uri, { readOnly: true, asks: 'nobody' }, (conn) => {
      const { begin$, beginChanges$, reports, end$ } = registerCallbacks(conn, listener);
      closing.push(end$, close$(conn));
      return { conn, begin$, beginChanges$, reports };
    });
    // One call after the other, so that none is pending when one fails.
    const ready$ = opened$.pipe(
      concatMap(({ conn, begin$, beginChanges$, reports }) =>
        subscriber.closed
          ? EMPTY
          : begin$.pipe(
              ignoreElements(),
              endWith(conn),
              concatMap(() => driver$(conn)),
              concatMap((driver) =>
                libraryVersion$(conn).pipe(
                  map((version) => ({ opened: conn, beginChanges$, reports, driver, version })),
                ),
              ),
            ),
      ),
      map(({ opened, beginChanges$, reports, driver, version }): Connection => {
        const beginChanges = once(() => {
          // A connection that is lost says so itself.
          subscriber.add(counted(beginChanges$).subscribe({ error: () => undefined }));
        });
        const host$ = hostFacts$(opened, driver);
        const list$ = listDomains$(opened, handles);
        const defined$ = listDefined$(lib, opened, handles);
        const channel$ = channelOf$(handles);
        const info$ = domainInfo$(handles);
        const stats$ = domainStats$(lib, handles);
        const xml$ = domainXml$(handles);
        const isHeld$ = domainIsHeld$(handles);
        const job$ = domainJob$(handles);
        const blockJob$ = diskJob$(handles);
        const connection = withDoubts({
          product: `${driver} through libvirt ${version}`,
          host$: (wanted) => counted(host$(wanted)),
          reports: reports(),
          lifecycle$: lifecycle.asObservable(),
          devices$: devices.asObservable(),
          change$: defer(() => {
            beginChanges();
            return changes;
          }),
          domains$: () => counted(list$()),
          defined$: () => counted(defined$()),
          channel$: (uuid) => counted(channel$(uuid)),
          info$: (domain) => counted(info$(domain)),
          stats$: (domains, groups) => counted(stats$(domains, groups)),
          xml$: (domain) => counted(xml$(domain)),
          isHeld$: (domain) => counted(isHeld$(domain)),
          job$: (domain) => counted(job$(domain)),
          blockJob$: (domain, disk) => counted(blockJob$(domain, disk)),
        });
        const lost$ = lostWhenSilent$(inFlight.counts, counted(libraryVersion$(opened)), monotonicScheduler);
        subscriber.add(lost$.subscribe({ error: (error) => subscriber.error(error) }));
        const folder = stateFolder(uriOf(lib, opened));
        if (folder === undefined) return connection;
        const local = localInfo(folder, connection.info$);
        subscriber.add(local.close);
        subscriber.add(
          lifecycle.subscribe((event) => {
            if (event.kind === 'gone') local.drop(event.uuid);
          }),
        );
        return {
          ...connection,
          info$: local.info$,
          localInfo: local.localInfo,
          process: local.process,
          domains$: () => connection.domains$().pipe(tap(local.retain)),
        };
      }),
    );
    counted(ready$).subscribe({
      next: (connection) => subscriber.next(connection),
      error: (error) => subscriber.error(error),
    });

    return () => {
      lifecycle.complete();
      devices.complete();
      changes.complete();
      inFlight.idle$
        .pipe(
          tap(handles.dropAll),
          concatMap(() => concat(...closing)),
          finalize(() => loop.unsubscribe()),
        )
        .subscribe({ error: () => undefined });
    };
  });
