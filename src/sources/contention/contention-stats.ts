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
import { READERS, type Reader } from './readers.ts';
import type { ThreadDelays } from './thread-delays.ts';
import { type Content, type VmFiles, vmFiles } from './vm-files.ts';

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

const valueIn = (
  content: Exclude<Content, undefined | { readonly reason: string }>,
  reader: Reader,
): number | undefined => {
  if (typeof content === 'number')
    return reader.from === 'clock' || reader.from === 'numa' ? reader.read(content) : undefined;
  if ('vcpus' in content) return reader.from === 'threads' ? reader.read(content) : undefined;
  return reader.from === 'clock' || reader.from === 'numa' || reader.from === 'threads'
    ? undefined
    : reader.read(content);
};

const isTexts = (content: Content): content is readonly string[] => Array.isArray(content);
const isDelays = (content: Content): content is ThreadDelays => typeof content === 'object' && 'vcpus' in content;

const outcomeOf = (content: NonNullable<Content>, { metric, reader }: Wanted): Outcome => {
  if (typeof content === 'object' && 'reason' in content) return noValue(content.reason);
  const value = valueIn(content, reader);
  return value === undefined ? noValue(NOT_THERE) : statOutcome(metric, value);
};

/** What a place held, and what was made of it. Most files of an idle VM do not change between two collections. */
interface Latest {
  readonly domain: Domain;
  readonly content: NonNullable<Content>;
  readonly readings: readonly Reading[];
}

const isSame = (a: NonNullable<Content>, b: NonNullable<Content>): boolean => {
  if (a === b) return true;
  if (isTexts(a) && isTexts(b)) return a.length === b.length && a.every((text, at) => text === b[at]);
  return isDelays(a) && isDelays(b) && a.vcpus === b.vcpus && a.others === b.others;
};

const NOT_SWAPPED: Content = ['VmSwap: 0 kB\n'];

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
  const places = new Map(
    wanted.map(({ reader }) => [reader.from, wanted.filter((one) => one.reader.from === reader.from)]),
  );
  const open = new WeakMap<QemuProcess, VmFiles>();
  const lookedAt = new WeakMap<Domain, number>();
  const latest = new WeakMap<VmFiles, Map<Reader['from'], Latest>>();

  const filesOf = (process: QemuProcess, { id }: Domain): VmFiles => {
    const known = open.get(process);
    if (known !== undefined) return known;
    const files = vmFiles(process, id, scheduler, proc);
    open.set(process, files);
    process.onClose(files.close);
    return files;
  };
  const readings = (process: QemuProcess, domain: Domain, swapless: boolean): readonly Reading[] => {
    const files = filesOf(process, domain);
    const known = latest.get(files) ?? new Map<Reader['from'], Latest>();
    latest.set(files, known);
    return [...places].flatMap(([place, some]) => {
      const content = place === 'status' && swapless ? NOT_SWAPPED : files.read(place);
      if (content === undefined) return [];
      const before = known.get(place);
      if (before?.domain === domain && isSame(before.content, content)) return before.readings;
      const made = some.map((one): Reading => ({ metric: one.metric, domain, outcome: outcomeOf(content, one) }));
      known.set(place, { domain, content, readings: made });
      return made;
    });
  };
  const none = (domain: Domain, reason: string): readonly Reading[] =>
    wanted.map(({ metric }) => ({ metric, domain, outcome: noValue(reason) }));

  const look$ = (connection: Connection, domain: Domain): Observable<readonly Reading[]> => {
    if (connection.process === undefined) return of(none(domain, NOT_LOCAL));
    if (scheduler.now() < (lookedAt.get(domain) ?? -Infinity) + LOOK_PERIOD) return of(none(domain, NOT_SEEN));
    return connection.info$(domain).pipe(
      map(() => {
        const process = connection.process?.(domain);
        if (process !== undefined) return readings(process, domain, isSwapless(proc));
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
    const swapless = places.has('status') && isSwapless(proc);
    for (const domain of domains) {
      const process = connection.process?.(domain);
      if (process === undefined) others.push(domain);
      else seen.push(...readings(process, domain, swapless));
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
