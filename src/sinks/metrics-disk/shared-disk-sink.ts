import { defer, from, Observable } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import { formatCount } from '../../model/count.ts';
import type { Snapshot } from '../../model/metric.ts';
import { metricsXml } from '../../model/metrics-xml.ts';
import { deliverLatest } from '../delivery.ts';
import type { Backoff } from '../../rx/retry-with-backoff.ts';
import type { Sink, SinkReport, Writer } from '../sink.ts';
import type { Selection } from './document-layout.ts';
import type { DiskOptions } from './open-disk.ts';
import { openResilientDisk } from './resilient-disk.ts';

export interface MetricsDiskOptions extends DiskOptions {
  readonly scheduler: SchedulerLike;
  readonly backoff?: Backoff;
}

const contentOf = ({ hostCount, domainCount, domains }: Selection, bytes: number): string =>
  `${formatCount(hostCount)} host and ${formatCount(domainCount)} VM metrics of ${formatCount(domains)} ${domains === 1 ? 'VM' : 'VMs'}, ${formatCount(bytes)} bytes`;

const warning = (message: string): SinkReport => ({ kind: 'warning', message });

/** The metrics disk that all guests share: a raw file that is updated in place and locked while it is open. */
export const metricsDisk = (options: MetricsDiskOptions): Sink => {
  const { path } = options;
  const open$ = new Observable<Writer>((subscriber) => {
    const target = openResilientDisk(options);
    const write = (snapshot: Snapshot): readonly SinkReport[] => {
      const { chosen, bytes, warnings } = target.write(metricsXml(snapshot));
      const message = `${path}: ${contentOf(chosen, bytes)}`;
      return [...warnings.map(warning), { kind: 'written', snapshot, message, bytes, leftOut: chosen.leftOut }];
    };
    subscriber.next({ opened: target.opened, write$: (snapshot) => defer(() => from(write(snapshot))) });
    return target.close;
  });
  return deliverLatest('metrics disk', open$, options);
};
