import { NEVER, type Observable, of, VirtualTimeScheduler } from 'rxjs';

import type { Domain, MetricDefinition, ValueType } from '../../src/model/metric.ts';
import type { StatValue } from '../../src/sources/libvirt/typed-params.ts';
import type { Connection, DomainStats } from '../../src/sources/libvirt/types.ts';

/** A scheduler with virtual time, and the recorded events: `[milliseconds, event]`. */
export const virtualTime = (end: number) => {
  const scheduler = new VirtualTimeScheduler(undefined, end);
  const seen: (readonly [number, unknown])[] = [];
  const see = (what: unknown): void => void seen.push([scheduler.now(), what]);
  return { scheduler, seen, see };
};

export const domain = (name: string, id = name.charCodeAt(0) - 96): Domain => ({
  uuid: `00000000-0000-4000-8000-${name.padStart(12, '0')}`,
  id,
  name,
});

export const statsOf = (of: Domain, fields: Readonly<Record<string, StatValue>>): DomainStats => ({
  domain: of,
  fields: new Map(Object.entries(fields)),
});

/** A connection with the test's calls; all other calls hang. */
export const fakeConnection = (calls: Partial<Connection>): Connection => ({
  product: 'FAKE through libvirt 1.2.3',
  host$: () => NEVER,
  reports: { lifecycle: true, devices: true },
  lifecycle$: NEVER,
  devices$: NEVER,
  doubt$: NEVER,
  change$: NEVER,
  domains$: () => NEVER,
  defined$: () => NEVER,
  channel$: (): Observable<never> => NEVER,
  info$: (): Observable<never> => NEVER,
  xml$: (): Observable<never> => NEVER,
  isHeld$: () => of(false),
  job$: (): Observable<never> => NEVER,
  blockJob$: (): Observable<never> => NEVER,
  stats$: (domains) => (domains.length === 0 ? of([]) : NEVER),
  ...calls,
});

/** Returns a VM metric with a statistic. */
export const statMetric = (stat: string, type: ValueType = 'uint64', index = 0): MetricDefinition => ({
  index,
  name: stat,
  type,
  context: 'vm',
  source: { kind: 'stat', stat },
  variables: [],
  every: 1,
  timeout: 1000,
  place: { file: 'f', line: 1, column: 1 },
});
