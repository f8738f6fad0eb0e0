import { statSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';

import {
  catchError,
  defer,
  EMPTY,
  finalize,
  mergeMap,
  type Observable,
  of,
  type SchedulerLike,
  Subject,
  Subscription,
  tap,
} from 'rxjs';

import type { Domain } from '../../model/metric.ts';
import { monotonicScheduler } from '../../system/monotonic.ts';
import { probeDescriptors, SPARE_DESCRIPTORS } from '../../system/process/descriptors.ts';
import { openProcess, type QemuProcess } from './qemu-process.ts';
import type { Connection, DomainStats } from './types.ts';

// Milliseconds between calls for a domain without a known change.
const REFRESH = 60_000;
// Most refreshes at the same time: one of libvirtd's 5 calls per client stays free.
const REFRESHES = 4;
// Milliseconds. Two changes within one tick of the kernel's clock (up to 10 ms) give a file the same time.
const SETTLED = 20;
// Golden ratio, which spreads the first refreshes of domains that appear together.
const SPREAD = 0.618_034;
// Nanoseconds: resolution of the CPU time here and in libvirt.
const GRAIN = 10_000_000;

/** Latest answer about one run of a domain, and the source of its CPU time. */
interface Known {
  readonly domain: Domain;
  readonly process: QemuProcess;
  stats: DomainStats;
  /** Version of its status file at the call; empty if it may have changed since, within the clock's resolution. */
  readonly status: string;
  /** Version of the folder when the status file was last compared. */
  folder: string;
  refreshAt: number;
}

export interface LocalInfo extends Required<Pick<Connection, 'info$' | 'localInfo' | 'process'>> {
  /** Forgets a domain that is gone. */
  readonly drop: (uuid: string) => void;
  /** Forgets all but these. */
  readonly retain: (domains: readonly Domain[]) => void;
  readonly close: () => void;
}

// Empty if the file has no version: it has just been written, is missing, or may not be looked at.
const versionOf = (file: string): string => {
  try {
    const { ino, mtimeNs, mtimeMs } = statSync(file, { bigint: true });
    return Math.abs(Date.now() - Number(mtimeMs)) < SETTLED ? '' : `${ino}:${mtimeNs}`;
  } catch {
    return '';
  }
};

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
// libvirt names the pid file, unlike the status file, with the text of the name in XML.
const escapedName = (name: string): string => name.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');

/**
 * virDomainGetInfo of the local QEMU driver, mostly without a call. The CPU time is that of QEMU's process. All else
 * changes only when libvirt writes the status file of the domain, which changes the time of the folder, so one stat
 * shows that nothing has changed for any domain. Calls libvirt before the first answer, after a change, if /proc hides
 * the process, and if its CPU time differs from libvirt's.
 */
export const localInfo = (
  folder: string,
  info$: Connection['info$'],
  {
    scheduler = monotonicScheduler,
    proc = '/proc',
  }: { readonly scheduler?: SchedulerLike; readonly proc?: string } = {},
): LocalInfo => {
  const known = new Map<string, Known>();
  const unfit = new WeakSet<Domain>();
  /** UUIDs of those that are being refreshed, or will be when there is a place. */
  const refreshing = new Set<string>();
  const refresh$ = new Subject<Domain>();
  const life = new Subscription();
  // Read once: Node parses a line of /proc for each CPU, which costs most on the largest hosts.
  const hostCpus = cpus().length;
  /** Until then no descriptor is looked for: there was none to spare. */
  let shortUntil = -Infinity;
  /** Version of the folder, read once for all domains of a collection. */
  let looked: string | undefined;

  const folderVersion = (): string => {
    if (looked === undefined) {
      looked = versionOf(folder);
      queueMicrotask(() => (looked = undefined));
    }
    return looked;
  };
  const statusFile = ({ name }: Domain): string => path.join(folder, `${name}.xml`);
  const drop = (uuid: string): void => {
    known.get(uuid)?.process.close();
    known.delete(uuid);
  };

  const retain = (domains: readonly Domain[]): void => {
    const uuids = new Set(domains.map(({ uuid }) => uuid));
    for (const uuid of known.keys()) if (!uuids.has(uuid)) drop(uuid);
  };

  const open = (domain: Domain): QemuProcess | undefined => {
    if (scheduler.now() < shortUntil) return undefined;
    try {
      probeDescriptors(SPARE_DESCRIPTORS);
    } catch {
      shortUntil = scheduler.now() + REFRESH;
      return undefined;
    }
    const called = (name: string): QemuProcess | undefined =>
      openProcess(path.join(folder, `${name}.pid`), domain.uuid, proc);
    const process = called(domain.name) ?? called(escapedName(domain.name));
    if (process === undefined) unfit.add(domain);
    return process;
  };
  // The process is the right one if its CPU time is that of libvirt, plus at most what the host can give since then.
  const agrees = (process: QemuProcess, fields: DomainStats['fields'], elapsed: number): boolean => {
    const more = Number(process.cpuTime() ?? -1n) - Number(fields.get('cpu.time'));
    return more >= 0 && more <= elapsed * 1e6 * hostCpus + 2 * GRAIN;
  };
  const remember = (stats: DomainStats, status: string, elapsed: number): void => {
    if (life.closed) return;
    const { domain, fields } = stats;
    const before = known.get(domain.uuid);
    // A domain that resumed is another object, but the same run.
    if (before !== undefined && before.domain.id !== domain.id) drop(domain.uuid);
    const process = known.get(domain.uuid)?.process ?? open(domain);
    if (process === undefined) return;
    if (!agrees(process, fields, elapsed)) {
      unfit.add(domain);
      known.delete(domain.uuid);
      return process.close();
    }
    const wait = before === undefined ? REFRESH * (((known.size + 1) * SPREAD) % 1) : REFRESH;
    known.set(domain.uuid, { domain, process, stats, status, folder: '', refreshAt: scheduler.now() + wait });
  };

  const ask$ = (domain: Domain): Observable<DomainStats> =>
    defer(() => {
      if (unfit.has(domain) || domain.name.includes('/')) return info$(domain);
      const status = versionOf(statusFile(domain));
      const start = scheduler.now();
      return info$(domain).pipe(tap((stats) => remember(stats, status, scheduler.now() - start)));
    });

  const isCurrent = (entry: Known): boolean => {
    const version = folderVersion();
    if (version !== '' && version === entry.folder) return true;
    if (entry.status === '' || versionOf(statusFile(entry.domain)) !== entry.status) return false;
    entry.folder = version;
    return true;
  };

  const refreshed$ = (domain: Domain): Observable<unknown> =>
    defer(() => (known.get(domain.uuid)?.domain === domain ? ask$(domain) : EMPTY)).pipe(
      // A failure is for the next collection, which meets it.
      catchError(() => {
        drop(domain.uuid);
        return EMPTY;
      }),
      finalize(() => refreshing.delete(domain.uuid)),
    );
  life.add(refresh$.pipe(mergeMap(refreshed$, REFRESHES)).subscribe());
  const refresh = (entry: Known): void => {
    const { domain } = entry;
    if (refreshing.has(domain.uuid)) return;
    entry.refreshAt = scheduler.now() + REFRESH;
    refreshing.add(domain.uuid);
    refresh$.next(domain);
  };

  const read = (domain: Domain): DomainStats | undefined => {
    const entry = known.get(domain.uuid);
    if (entry?.domain !== domain || !isCurrent(entry)) return undefined;
    const cpuTime = entry.process.cpuTime();
    if (cpuTime === undefined) {
      drop(domain.uuid);
      return undefined;
    }
    if (scheduler.now() >= entry.refreshAt) refresh(entry);
    const { fields } = entry.stats;
    if (fields.get('cpu.time') !== cpuTime)
      entry.stats = { domain, fields: new Map([...fields, ['cpu.time', cpuTime]]) };
    return entry.stats;
  };

  return {
    localInfo: read,
    process: (domain) => {
      const entry = known.get(domain.uuid);
      return entry?.domain === domain ? entry.process : undefined;
    },
    info$: (domain) =>
      defer(() => {
        const stats = read(domain);
        return stats === undefined ? ask$(domain) : of(stats);
      }),
    drop,
    retain,
    close: () => {
      life.unsubscribe();
      retain([]);
    },
  };
};
