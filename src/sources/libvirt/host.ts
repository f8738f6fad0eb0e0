import { catchError, forkJoin, map, type Observable, of } from 'rxjs';

import { call$, failed, LibvirtError, RPC } from './call.ts';
import { type Pointer, takeString } from './library.ts';
import { checked } from './queries.ts';
import type { Connection, Fact, HostFact, HostFacts } from './types.ts';

// libvirt packs a version into one number: major x 1,000,000 + minor x 1,000 + release.
const dotted = (version: number): string =>
  `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1000) % 1000}.${version % 1000}`;

/** virConnectGetType: the name of the hypervisor driver, such as `QEMU`. */
export const driver$ = (conn: Pointer): Observable<string> =>
  call$(
    'virConnectGetType',
    (l) => l.getType,
    [conn],
    (type) => {
      if (type === null) throw failed();
      return type;
    },
  );

/** virConnectGetLibVersion: the version of the libvirt that answers. */
export const libraryVersion$ = (conn: Pointer): Observable<string> => {
  const version: [number | bigint | null] = [null];
  return call$(
    'virConnectGetLibVersion',
    (l) => l.getLibVersion,
    [conn, version],
    (result) => {
      checked(result);
      return dotted(Number(version[0]));
    },
  );
};

const product$ = (conn: Pointer, driver: string): Observable<string> => {
  const version: [number | bigint | null] = [null];
  return call$(
    'virConnectGetVersion',
    (l) => l.getHypervisorVersion,
    [conn, version],
    (result) => {
      checked(result);
      const running = Number(version[0]);
      // 0: the driver does not know it.
      if (running === 0) throw new LibvirtError('the version of the hypervisor is not known');
      return `${driver} ${dotted(running)}`;
    },
  );
};

const hostname$ = (conn: Pointer): Observable<string> =>
  call$(
    'virConnectGetHostname',
    (l) => l.hostname,
    [conn],
    (name) => {
      if (name === null) throw failed();
      return takeString(name);
    },
  );

const cpus$ = (conn: Pointer): Observable<number> => {
  const info: { cpus?: number } = {};
  return call$(
    'virNodeGetInfo',
    (l) => l.nodeInfo,
    [conn, info],
    (result) => {
      checked(result);
      return info.cpus ?? 0;
    },
  );
};

// virterror.h: system error, RPC.
const LOST: ReadonlySet<number | undefined> = new Set([38, RPC]);

// What a driver refuses is a failure of that one; an error of the connection is one of all.
const settled$ = <T>(asked$: Observable<T>): Observable<Fact<T>> =>
  asked$.pipe(
    map((value): Fact<T> => ({ ok: true, value })),
    catchError((error: unknown) => {
      if (!(error instanceof LibvirtError) || LOST.has(error.code)) throw error;
      return of<Fact<T>>({ ok: false, reason: error.message });
    }),
  );

/** Asks for what is wanted of the host, all at the same time. */
export const hostFacts$ = (conn: Pointer, driver: string): Connection['host$'] => {
  const ask: { readonly [K in HostFact]: () => Observable<Pick<HostFacts, K>> } = {
    product: () => settled$(product$(conn, driver)).pipe(map((product) => ({ product }))),
    hostname: () => settled$(hostname$(conn)).pipe(map((hostname) => ({ hostname }))),
    cpus: () => settled$(cpus$(conn)).pipe(map((cpus) => ({ cpus }))),
  };
  return (wanted) =>
    forkJoin([of({}), ...wanted.map((fact) => ask[fact]())]).pipe(
      map((facts): HostFacts => Object.assign({}, ...facts)),
    );
};
