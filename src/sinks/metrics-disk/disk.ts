import { defer, from, Observable } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import { metricsXml } from '../../metrics-xml.ts';
import type { MetricsXml } from '../../metrics-xml.ts';
import type { Snapshot } from '../../metric.ts';
import { handOver } from '../hand-over.ts';
import type { Backoff } from '../hand-over.ts';
import type { Sink, SinkReport, Writer } from '../sink.ts';
import { fit } from './content.ts';
import type { Fit } from './content.ts';
import { openDisk } from './open-disk.ts';
import type { Disk, DiskOptions } from './open-disk.ts';
import { uniqueSums } from './unique-sum.ts';

export interface MetricsDiskOptions extends DiskOptions {
  readonly scheduler: SchedulerLike;
  readonly backoff?: Backoff;
}

const number = (value: number): string => value.toLocaleString('en-US');

const FOUND: Readonly<Record<Disk['found'], string>> = {
  nothing: 'created',
  'a valid document': 'its document stays until the first new one',
  'no valid document': 'held no valid document, so an empty one was published',
};

const contentOf = ({ hostCount, guestCount, guests }: Fit, bytes: number): string =>
  `${number(hostCount)} host and ${number(guestCount)} VM metrics of ${number(guests)} ${guests === 1 ? 'VM' : 'VMs'}, ${number(bytes)} bytes`;

const warning = (message: string): SinkReport => ({ kind: 'warning', message });

/** Says on change only whether all metrics fit. */
const overflow = (path: string) => {
  let over = false;
  return ({ leftOut, guests, hostCount }: Fit, all: MetricsXml): readonly SinkReport[] => {
    const before = over;
    over = leftOut > 0;
    if (over === before) return [];
    if (!over) return [warning(`${path} holds all metrics again`)];
    const kept = `${number(hostCount)} of ${number(all.hostCount)} host metrics and ${number(guests)} of ${number(all.guests.length)} VMs`;
    return [warning(`${path} is too small and holds ${kept} only; raise the <size> of the disk`)];
  };
};

const REOPENED = 'VMs that have the old file open see the new one when it is attached to them again';

const writer = (options: DiskOptions): { readonly writer: Writer; readonly close: () => void } => {
  const { path } = options;
  const sums = uniqueSums();
  const overflowed = overflow(path);
  let disk: Disk | undefined = openDisk(options, sums);
  /** What happened to the file, to be said when it has been mended. */
  let mended: readonly SinkReport[] = [];

  const usable = (): Disk => {
    if (disk?.gone() === true) {
      disk.close();
      disk = undefined;
      mended = [warning(`${path} had been deleted or replaced and was opened anew. ${REOPENED}`)];
    }
    disk ??= openDisk(options, sums);
    const damage = disk.repair();
    if (damage !== undefined) mended = [warning(`${path} ${damage} and was written anew`)];
    return disk;
  };

  const write = (snapshot: Snapshot): readonly SinkReport[] => {
    const { size, publish } = usable();
    const xml = metricsXml(snapshot);
    const chosen = fit(xml, size);
    const bytes = publish(chosen.parts);
    const reports = [...mended, ...overflowed(chosen, xml)];
    mended = [];
    const message = `${path}: ${contentOf(chosen, bytes)}`;
    return [...reports, { kind: 'written', snapshot, message, bytes, leftOut: chosen.leftOut }];
  };

  return {
    writer: {
      opened: `${path}, ${number(disk.size)} bytes: ${FOUND[disk.found]}`,
      write$: (snapshot) => defer(() => from(write(snapshot))),
    },
    close: () => disk?.close(),
  };
};

/** The metrics disk that all guests share: a raw file that is updated in place, locked as long as it is open. */
export const metricsDisk = (options: MetricsDiskOptions): Sink => {
  const open$ = new Observable<Writer>((subscriber) => {
    const opened = writer(options);
    subscriber.next(opened.writer);
    return opened.close;
  });
  return handOver('metrics disk', open$, options);
};
