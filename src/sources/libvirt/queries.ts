import { defer, map, Observable, throwError } from 'rxjs';

import { type DomainInfoStatistic, STATS_GROUP } from '../../model/statistics.ts';
import { call$, failed, LibvirtError, NO_DOMAIN } from './call.ts';
import { definedDomain, describeDomain, type DomainHandles } from './domain-handles.ts';
import { freeMemory, type Library, type NativeDomainInfo, type Pointer, pointers, statsRecord } from './bindings.ts';
import { decodeTypedParams } from './typed-params.ts';
import type { Connection, DomainStats } from './types.ts';

// libvirt-domain.h
const LIST_ACTIVE = 1;
const LIST_PERSISTENT = 4;
const STATS_NOWAIT = 1 << 29;

/** Throws libvirt's latest error if a call returned -1. */
export const checked = (result: number): number => {
  if (result < 0) throw failed();
  return result;
};

const listed$ = <T>(
  conn: Pointer,
  flags: number,
  each: (handle: Pointer) => T,
  handles: DomainHandles,
): Observable<readonly T[]> => {
  const out: [Pointer | null] = [null];
  return call$(
    'virConnectListAllDomains',
    (l) => l.listDomains,
    [conn, out, flags],
    (count) => {
      checked(count);
      if (out[0] === null) return [];
      const listed = pointers(out[0], count).map((handle) => {
        const described = each(handle);
        handles.release(handle);
        return described;
      });
      freeMemory(out[0]);
      return listed;
    },
  );
};

/** Lists all active domains and remembers their handles. */
export const listDomains$ =
  (conn: Pointer, handles: DomainHandles): Connection['domains$'] =>
  () =>
    listed$(conn, LIST_ACTIVE, handles.remember, handles).pipe(map((domains) => domains.filter(({ id }) => id >= 0)));

/** Lists all domains with a persistent definition, running or not. */
export const listDefined$ =
  (lib: Library, conn: Pointer, handles: DomainHandles): Connection['defined$'] =>
  () =>
    listed$(conn, LIST_PERSISTENT, (handle) => definedDomain(describeDomain(lib, handle)), handles);

/** Calls with a handle of a domain, which `finish` of the call, that always runs, releases. */
export const withHandle$ = <T>(
  handles: DomainHandles,
  uuid: string,
  call: (handle: Pointer) => Observable<T>,
): Observable<T> =>
  defer(() => {
    const handle = handles.borrow(uuid);
    return handle === undefined ? throwError(() => new LibvirtError('the domain has gone', NO_DOMAIN)) : call(handle);
  });

/** virDomainGetInfo by libvirt's names of the same statistics. */
export const domainInfo$ =
  (handles: DomainHandles): Connection['info$'] =>
  (domain) =>
    withHandle$(handles, domain.uuid, (handle) => {
      const info: Partial<NativeDomainInfo> = {};
      return call$(
        'virDomainGetInfo',
        (l) => l.domainInfo,
        [handle, info],
        (result) => {
          handles.release(handle);
          checked(result);
          const fields: Readonly<Record<DomainInfoStatistic['name'], number | bigint>> = {
            'state.state': info.state ?? 0,
            'cpu.time': info.cpuTime ?? 0,
            'vcpu.current': info.nrVirtCpu ?? 0,
            'balloon.current': info.memory ?? 0,
            'balloon.maximum': info.maxMem ?? 0,
          };
          return { domain, fields: new Map(Object.entries(fields)) };
        },
      );
    });

/** virDomainListGetStats with NOWAIT: a domain whose monitor another call holds answers in part. Includes the state. */
export const domainStats$ = (lib: Library, handles: DomainHandles): Connection['stats$'] => {
  return (domains, groups) =>
    new Observable((subscriber) => {
      const byUuid = new Map(domains.map((domain) => [domain.uuid, domain]));
      const borrowed = domains.map(({ uuid }) => handles.borrow(uuid)).filter((handle) => handle !== undefined);
      if (borrowed.length === 0) {
        subscriber.next([]);
        subscriber.complete();
        return undefined;
      }
      const out: [Pointer | null] = [null];
      return call$(
        'virDomainListGetStats',
        (l) => l.listStats,
        [[...borrowed, null], groups | STATS_GROUP.state, out, STATS_NOWAIT],
        (count) => {
          borrowed.forEach(handles.release);
          checked(count);
          if (out[0] === null) return [];
          const answers: DomainStats[] = [];
          for (const pointer of pointers(out[0], count)) {
            const { dom, params, nparams } = statsRecord(pointer);
            const { uuid, id } = describeDomain(lib, dom);
            const domain = byUuid.get(uuid);
            // Another id is another run, whose values do not belong to this one.
            if (domain?.id === id) answers.push({ domain, fields: decodeTypedParams(params, nparams) });
          }
          lib.freeStats(out[0]);
          return answers;
        },
      ).subscribe(subscriber);
    });
};
