import { concatMap, Observable } from 'rxjs';

import { call$, failed, LibvirtError, NO_DOMAIN } from './call.ts';
import { describeDomain, type DomainHandles } from './domain-handles.ts';
import {
  freeMemory,
  type Library,
  libvirt,
  type NativeDomainInfo,
  type Pointer,
  pointers,
  statsRecord,
} from './library.ts';
import { decodeTypedParams } from './typed-params.ts';
import type { Connection, DomainStats, NodeInfo } from './types.ts';

// libvirt-domain.h
const LIST_ACTIVE = 1;
const STATS_NOWAIT = 1 << 29;

/** Throws libvirt's latest error where a call returned -1. */
export const checked = (result: number): number => {
  if (result < 0) throw failed();
  return result;
};

const productOf = (lib: Library, type: string): string => {
  const version: [number | bigint | null] = [null];
  checked(lib.getVersion(version, null, null));
  const v = Number(version[0]);
  return `${type} ${Math.floor(v / 1_000_000)}.${Math.floor(v / 1000) % 1000}.${v % 1000}`;
};

/** virConnectGetType, virGetVersion and virNodeGetInfo, one after the other. */
export const nodeInfo$ = (conn: Pointer): Observable<NodeInfo> => {
  const info: { cpus?: number } = {};
  return call$(
    'virConnectGetType',
    (l) => l.getType,
    [conn],
    (type) => {
      if (type === null) throw failed();
      return productOf(libvirt(), type);
    },
  ).pipe(
    concatMap((product) =>
      call$(
        'virNodeGetInfo',
        (l) => l.nodeInfo,
        [conn, info],
        (result) => {
          checked(result);
          return { product, cpus: info.cpus ?? 0 };
        },
      ),
    ),
  );
};

/** All active domains; their handles are remembered. */
export const listDomains$ = (conn: Pointer, handles: DomainHandles): Connection['domains$'] => {
  return () => {
    const out: [Pointer | null] = [null];
    return call$(
      'virConnectListAllDomains',
      (l) => l.listDomains,
      [conn, out, LIST_ACTIVE],
      (count) => {
        checked(count);
        if (out[0] === null) return [];
        const listed = pointers(out[0], count).map((handle) => {
          const domain = handles.remember(handle);
          handles.release(handle);
          return domain;
        });
        freeMemory(out[0]);
        return listed.filter(({ id }) => id >= 0);
      },
    );
  };
};

/** virDomainGetInfo by libvirt's names of the same statistics. */
export const domainInfo$ = (handles: DomainHandles): Connection['info$'] => {
  return (domain) =>
    new Observable((subscriber) => {
      const handle = handles.borrow(domain.uuid);
      if (handle === undefined) {
        subscriber.error(new LibvirtError('the domain has gone', NO_DOMAIN));
        return undefined;
      }
      const info: Partial<NativeDomainInfo> = {};
      return call$(
        'virDomainGetInfo',
        (l) => l.domainInfo,
        [handle, info],
        (result) => {
          handles.release(handle);
          checked(result);
          const fields = new Map<string, number | bigint>([
            ['state.state', info.state ?? 0],
            ['cpu.time', info.cpuTime ?? 0],
            ['vcpu.current', info.nrVirtCpu ?? 0],
            ['balloon.current', info.memory ?? 0],
            ['balloon.maximum', info.maxMem ?? 0],
          ]);
          return { domain, fields };
        },
      ).subscribe(subscriber);
    });
};

/** virDomainListGetStats; a domain whose monitor is held by another call gives what it can without it (NOWAIT). */
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
        [[...borrowed, null], groups, out, STATS_NOWAIT],
        (count) => {
          borrowed.forEach(handles.release);
          checked(count);
          if (out[0] === null) return [];
          const answers: DomainStats[] = [];
          for (const pointer of pointers(out[0], count)) {
            const { dom, params, nparams } = statsRecord(pointer);
            const domain = byUuid.get(describeDomain(lib, dom).uuid);
            if (domain !== undefined) answers.push({ domain, fields: decodeTypedParams(params, nparams) });
          }
          lib.freeStats(out[0]);
          return answers;
        },
      ).subscribe(subscriber);
    });
};
