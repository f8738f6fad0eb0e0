import { readFileSync } from 'node:fs';

import {
  catchError,
  EMPTY,
  from,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  type SchedulerLike,
  switchMap,
  take,
} from 'rxjs';

import type { Domain, MetricDefinition, Outcome, Reading } from '../../model/metric.ts';
import { isContention } from '../../model/statistics.ts';
import type { QemuProcess } from '../libvirt/qemu-process.ts';
import type { ConnectionState } from '../libvirt/reconnect.ts';
import type { Connection } from '../libvirt/types.ts';
import type { DomainCollector } from '../source.ts';
import { noValue, statOutcome } from '../stat-outcome.ts';
import type { Content, Missing } from './place.ts';
import { READERS, type Reader } from './readers.ts';
import { type Source, type VmFiles, vmFiles } from './vm-files.ts';
import { vmHost } from './vm-host.ts';

// Milliseconds until a process that could not be verified is looked for again.
const LOOK_PERIOD = 60_000;
const LOOKS_AT_ONCE = 4;

const NOT_LOCAL = 'the daemon must run on the host of the domain, with a local qemu:/// URI';
const NOT_SEEN = 'the QEMU process of the domain cannot be verified: /proc hides it, or descriptors are short';
const NOT_THERE = 'the kernel of the host does not have it';

interface Wanted {
  readonly metric: MetricDefinition;
  readonly reader: Reader;
}

const wantedOf = (metric: MetricDefinition): readonly Wanted[] => {
  const { source } = metric;
  const reader =
    source.kind === 'stat' ? Object.entries(READERS).find(([name]) => name === source.stat)?.[1] : undefined;
  return reader === undefined ? [] : [{ metric, reader }];
};

const valueIn = (content: Exclude<Content, undefined | Missing>, reader: Reader): number | undefined => {
  if (typeof content === 'number')
    return reader.from === 'clock' || reader.from === 'numa' ? reader.read(content) : undefined;
  if ('vcpus' in content) return reader.from === 'threads' ? reader.read(content) : undefined;
  return reader.from === 'clock' || reader.from === 'numa' || reader.from === 'threads'
    ? undefined
    : reader.read(content);
};

const outcomeOf = (content: NonNullable<Content>, { metric, reader }: Wanted): Outcome => {
  if (typeof content === 'object' && 'reason' in content) return noValue(content.reason);
  const value = valueIn(content, reader);
  return value === undefined ? noValue(NOT_THERE) : statOutcome(metric, value);
};

/** What a source held, and what was made of it. Most files of an idle VM do not change between two collections. */
interface Latest {
  readonly domain: Domain;
  readonly content: NonNullable<Content>;
  readonly readings: readonly Reading[];
}

/** The latest of each source, in their order. */
interface Known {
  readonly files: VmFiles;
  readonly latest: (Latest | undefined)[];
}

// proc(5), /proc/swaps: a line for each, with the used KiB in the fourth column. One file instead of one for each VM.
const isSwapless = (proc: string): boolean => {
  try {
    const [, ...areas] = readFileSync(`${proc}/swaps`, 'latin1').trim().split('\n');
    return areas.every((area) => area.split(/\s+/)[3] === '0');
  } catch {
    return false;
  }
};

/**
 * Collects the statistics of contention from files of the kernel about each domain's QEMU process and its control
 * group, by descriptors that stay open. Nothing of them needs root or a call of libvirt, but for one that verifies the
 * process. A domain that ends gives no reading.
 */
export const contentionCollectors = (
  metrics: readonly MetricDefinition[],
  connectionState$: Observable<ConnectionState>,
  scheduler: SchedulerLike,
  proc = '/proc',
): readonly DomainCollector[] => {
  const wanted = metrics
    .filter(({ context }) => context === 'vm')
    .filter(isContention)
    .flatMap(wantedOf);
  if (wanted.length === 0) return [];
  // One read of a file for all its statistics.
  const sources = [...new Set(wanted.map(({ reader }) => reader.from))];
  const swapless = sources.map((source): Source => (source === 'status' ? 'unswapped' : source));
  const perSource = sources.map((source) => wanted.filter(({ reader }) => reader.from === source));
  const host = vmHost(scheduler, proc);
  const open = new WeakMap<QemuProcess, Known>();
  const lookedAt = new WeakMap<Domain, number>();

  const sourcesNow = (): readonly Source[] => {
    host.descriptors.renew();
    return sources.includes('status') && isSwapless(proc) ? swapless : sources;
  };
  const knownOf = (process: QemuProcess, { id }: Domain): Known => {
    const known = open.get(process);
    if (known !== undefined) return known;
    const files = vmFiles(process, id, host);
    const met = { files, latest: [] };
    open.set(process, met);
    process.onClose(files.close);
    return met;
  };
  const read = (process: QemuProcess, domain: Domain, from: readonly Source[], into: Reading[]): void => {
    const { files, latest } = knownOf(process, domain);
    let at = 0;
    for (const content of files.read(from)) {
      let known = latest[at];
      if (content !== undefined) {
        if (known?.content !== content || known.domain !== domain) {
          const readings = (perSource[at] ?? []).map((one) => ({
            metric: one.metric,
            domain,
            outcome: outcomeOf(content, one),
          }));
          known = { domain, content, readings };
          latest[at] = known;
        }
        for (const reading of known.readings) into.push(reading);
      }
      at += 1;
    }
  };
  const none = (domain: Domain, reason: string): readonly Reading[] =>
    wanted.map(({ metric }) => ({ metric, domain, outcome: noValue(reason) }));

  const look$ = (connection: Connection, domain: Domain): Observable<readonly Reading[]> => {
    if (connection.process === undefined) return of(none(domain, NOT_LOCAL));
    if (scheduler.now() < (lookedAt.get(domain) ?? -Infinity) + LOOK_PERIOD) return of(none(domain, NOT_SEEN));
    return connection.info$(domain).pipe(
      map(() => {
        const process = connection.process?.(domain);
        if (process !== undefined) {
          const seen: Reading[] = [];
          read(process, domain, sourcesNow(), seen);
          return seen;
        }
        lookedAt.set(domain, scheduler.now());
        return none(domain, NOT_SEEN);
      }),
      // The domain has ended, or libvirt is away.
      catchError(() => EMPTY),
    );
  };
  const ask$ = (connection: Connection, domains: readonly Domain[]): Observable<readonly Reading[]> => {
    const seen: Reading[] = [];
    const others: Domain[] = [];
    const now = sourcesNow();
    for (const domain of domains) {
      const process = connection.process?.(domain);
      if (process === undefined) others.push(domain);
      else read(process, domain, now, seen);
    }
    const look = from(others).pipe(mergeMap((domain) => look$(connection, domain), LOOKS_AT_ONCE));
    return seen.length === 0 ? look : merge(of(seen), look);
  };
  return [
    {
      metrics: wanted.map(({ metric }) => metric),
      collect$: (domains) =>
        connectionState$.pipe(
          take(1),
          switchMap((link) => (link.up ? ask$(link.connection, domains) : EMPTY)),
        ),
    },
  ];
};
