import { catchError, forkJoin, map, type Observable, of } from 'rxjs';

import { call$, failed, LibvirtError, RPC } from './call.ts';
import { type Library, type Pointer, takeString } from './bindings.ts';
import { checked } from './queries.ts';
import { failure, success } from '../../model/result.ts';
import type { Connection, Fact, HostFact } from './types.ts';

type VersionCall = Library['getLibVersion'];

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

// Reads a version that libvirt writes to an output parameter; 0 if it is unknown.
const version$ = (what: string, pick: (lib: Library) => VersionCall, conn: Pointer): Observable<number> => {
  const version: [number | bigint | null] = [null];
  return call$(what, pick, [conn, version], (result) => {
    checked(result);
    return Number(version[0]);
  });
};

/** virConnectGetLibVersion: the version of the libvirt that answers. */
export const libraryVersion$ = (conn: Pointer): Observable<string> =>
  version$('virConnectGetLibVersion', (lib) => lib.getLibVersion, conn).pipe(map(dotted));

const product$ = (conn: Pointer, driver: string): Observable<string> =>
  version$('virConnectGetVersion', (lib) => lib.getHypervisorVersion, conn).pipe(
    map((running) => {
      if (running === 0) throw new LibvirtError('the version of the hypervisor is not known');
      return `${driver} ${dotted(running)}`;
    }),
  );

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

// If the driver refuses, one fact fails; an error of the connection fails all.
const settled$ = (asked$: Observable<number | string>): Observable<Fact> =>
  asked$.pipe(
    map(success),
    catchError((error: unknown) => {
      if (!(error instanceof LibvirtError) || LOST.has(error.code)) throw error;
      return of(failure(error.message));
    }),
  );

/** Queries the wanted facts of the host simultaneously. */
export const hostFacts$ = (conn: Pointer, driver: string): Connection['host$'] => {
  const ask: Readonly<Record<HostFact, () => Observable<number | string>>> = {
    'host.product': () => product$(conn, driver),
    'host.libvirt.hostname': () => hostname$(conn),
    'host.cpus': () => cpus$(conn),
  };
  return (wanted) => forkJoin(Object.fromEntries(wanted.map((fact) => [fact, settled$(ask[fact]())])));
};
