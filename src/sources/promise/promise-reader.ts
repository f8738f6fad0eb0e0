import {
  catchError,
  defer,
  EMPTY,
  endWith,
  filter,
  finalize,
  ignoreElements,
  map,
  type Observable,
  of,
  type SchedulerLike,
  share,
  Subject,
} from 'rxjs';

import { type Domain, domainRunKey } from '../../model/metric.ts';
import type { StatValue } from '../libvirt/typed-params.ts';
import type { Connection } from '../libvirt/types.ts';
import { promiseFields } from './promise-fields.ts';
import { type Promises, promisesIn } from './promises.ts';

// Milliseconds after which the XML is read again: libvirt does not report every change (memory limits, bandwidth).
const ASK_AGAIN = 60_000;
// Golden ratio, which spreads the questions about domains that appear together.
const SPREAD = 0.618_034;

/** What is known of one run of a domain. */
export interface Run {
  readonly domain: Domain;
  readonly promises: Promises;
  readonly fields: ReadonlyMap<string, StatValue>;
  readonly askAt: number;
}

/** Reads what domains are entitled to, and remembers it. */
export interface PromiseReader {
  readonly knownOf: (domain: Domain) => Run | undefined;
  readonly domainOf: (uuid: string) => Domain | undefined;
  /** True for a minute after the domain was read. */
  readonly isFresh: (domain: Domain) => boolean;
  /** Reads a domain; joins a call on its way, unless `anew`. Emits nothing of a domain that cannot be read. */
  readonly read$: (connection: Connection, domain: Domain, anew: boolean) => Observable<Run>;
  /** Emits the domain when no call about it is on its way. */
  readonly idle$: (domain: Domain) => Observable<Domain>;
  /** UUIDs of domains that have been read, or have ended. Hot. */
  readonly settled$: Observable<string>;
  readonly forget: (uuid: string) => void;
  readonly forgetAll: () => void;
}

export const promiseReader = (scheduler: SchedulerLike, hostCpus: () => number): PromiseReader => {
  // By UUID; those of one connection.
  const runs = new Map<string, Run>();
  // Latest call about each run, by its key. The answer of an earlier one is out of date.
  const calls = new Map<string, Observable<Run>>();
  const settled = new Subject<string>();

  const knownOf = (domain: Domain): Run | undefined => {
    const known = runs.get(domain.uuid);
    return known?.domain.id === domain.id ? known : undefined;
  };
  const runOf = (domain: Domain, xml: string): Run => {
    const promises = promisesIn(xml);
    const wait = runs.has(domain.uuid) ? ASK_AGAIN : ASK_AGAIN * (((runs.size + 1) * SPREAD) % 1);
    return { domain, promises, fields: promiseFields(promises, hostCpus()), askAt: scheduler.now() + wait };
  };
  // Some drivers do not report the end of a domain. Those that run are asked about once a minute.
  const forgetOld = (): void => {
    for (const [uuid, { askAt }] of runs) if (askAt + ASK_AGAIN < scheduler.now()) runs.delete(uuid);
  };
  return {
    knownOf,
    domainOf: (uuid) => runs.get(uuid)?.domain,
    isFresh: (domain) => (knownOf(domain)?.askAt ?? -Infinity) > scheduler.now(),
    read$: (connection, domain, anew) =>
      defer(() => {
        const key = domainRunKey(domain);
        const joined$ = anew ? undefined : calls.get(key);
        if (joined$ !== undefined) return joined$;
        const isLatest = (): boolean => calls.get(key) === call$;
        const call$: Observable<Run> = connection.xml$(domain).pipe(
          filter(isLatest),
          map((xml) => {
            const run = runOf(domain, xml);
            if (!connection.reports.lifecycle) forgetOld();
            runs.set(domain.uuid, run);
            settled.next(domain.uuid);
            return run;
          }),
          // The domain has ended, or libvirt is away.
          catchError(() => EMPTY),
          finalize(() => {
            if (isLatest()) calls.delete(key);
          }),
          share(),
        );
        calls.set(key, call$);
        return call$;
      }),
    idle$: (domain) =>
      defer(() => calls.get(domainRunKey(domain))?.pipe(ignoreElements(), endWith(domain)) ?? of(domain)),
    settled$: settled.asObservable(),
    forget: (uuid) => {
      runs.delete(uuid);
      for (const key of calls.keys()) if (key.startsWith(`${uuid}/`)) calls.delete(key);
      settled.next(uuid);
    },
    forgetAll: () => {
      runs.clear();
      calls.clear();
    },
  };
};
