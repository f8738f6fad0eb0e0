import { join } from 'node:path';

import { asyncScheduler, Subject } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import type { DomainMetrics, KnownDomain, Sample, Snapshot } from '../../../src/model/metric.ts';
import { CHUNK } from '../../../src/sinks/metrics-disk/format.ts';
import { privateDisks } from '../../../src/sinks/metrics-disk/private-disks-sink.ts';
import type { PrivateDisksOptions } from '../../../src/sinks/metrics-disk/private-disks-sink.ts';
import type { SinkReport } from '../../../src/sinks/sink.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';

/** Returns the UUID of the test domain with an id. */
export const uuidOf = (id: number): string => ofDomain(id).domain.uuid;

/** Returns a defined domain, with an id if it runs. */
export const known = (id: number, { running = true, name = `vm${id}` } = {}): KnownDomain => ({
  uuid: uuidOf(id),
  name,
  persistent: true,
  ...(running ? { id } : {}),
});

/** Returns a snapshot of a tick with these domains. */
export const tick = (
  number: number,
  domains: readonly KnownDomain[] | undefined,
  domainMetrics: readonly DomainMetrics[] = [],
  host: readonly Sample[] = [sample('Tick', `tick ${number}`)],
): Snapshot => ({ ...snapshot(number, host, domainMetrics), ...(domains === undefined ? {} : { domains }) });

/** Returns the same snapshot as a change between ticks. */
export const change = (value: Snapshot, at = value.at + 100): Snapshot => ({ ...value, cause: 'change', at });

// The clock stands still, so that all disks are written in one time slice, even on a slow machine.
const scheduler: SchedulerLike = { now: () => 0, schedule: asyncScheduler.schedule.bind(asyncScheduler) };

/** Starts private disks in a folder, and collects their reports. */
export const startPrivate = (folder: string, options: Partial<PrivateDisksOptions> = {}) => {
  const snapshots = new Subject<Snapshot>();
  const reports: SinkReport[] = [];
  const sink = privateDisks({
    path: join(folder, 'UUID.disk'),
    size: CHUNK,
    scheduler,
    backoff: { first: 10, most: 50 },
    ...options,
  });
  const subscription = sink.run(snapshots).subscribe((report) => reports.push(report));
  return {
    publish: (value: Snapshot): void => snapshots.next(value),
    said: (kind: SinkReport['kind']): readonly string[] =>
      reports.filter((report) => report.kind === kind).map(({ message }) => message),
    reports,
    pathOf: (id: number): string => (options.path ?? join(folder, 'UUID.disk')).replaceAll('UUID', uuidOf(id)),
    stop: (): void => subscription.unsubscribe(),
  };
};
