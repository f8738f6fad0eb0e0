import { formatCount } from '../../model/count.ts';
import { concat, defer, finalize, map, mergeMap, NEVER } from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

import type { Snapshot } from '../../model/metric.ts';
import { deliverLatest } from '../delivery.ts';
import type { Backoff } from '../../rx/retry-with-backoff.ts';
import type { Sink, SinkReport, Writer } from '../sink.ts';
import { wholeChunks } from './format.ts';
import type { PrivateDiskOptions } from './private-disk.ts';
import { privatePaths } from './private-paths.ts';
import { privateDiskSet } from './private-disk-set.ts';
import type { UpdateSummary } from './private-disk-set.ts';

export interface PrivateDisksOptions extends PrivateDiskOptions {
  /** Path of the disk of a domain; the token `UUID` is replaced by its UUID. */
  readonly path: string;
  readonly scheduler: SchedulerLike;
  readonly backoff?: Backoff;
}

/** Most warnings of one snapshot: a problem that all disks share must not flood the log. */
const MAX_WARNINGS = 10;

const warnings = (all: readonly string[]): readonly SinkReport[] => {
  const rest = all.length - MAX_WARNINGS;
  const more = rest > 0 ? [`${formatCount(rest)} more warnings about private disks at the same time`] : [];
  return [...all.slice(0, MAX_WARNINGS), ...more].map((message) => ({ kind: 'warning', message }));
};

const disks = (count: number): string => `${formatCount(count)} ${count === 1 ? 'disk' : 'disks'}`;

const reports = (snapshot: Snapshot, summary: UpdateSummary): readonly SinkReport[] => {
  const { count, changed, failed, removed, bytes, leftOut } = summary;
  const rest = [
    ...(failed === 0 ? [] : [`${formatCount(failed)} failed`]),
    ...(removed === 0 ? [] : [`${formatCount(removed)} removed`]),
  ];
  const message = [
    disks(count),
    `${formatCount(changed)} changed`,
    `${formatCount(bytes)} bytes written`,
    ...rest,
  ].join(', ');
  return [...warnings(summary.warnings), { kind: 'written', snapshot, message, bytes, leftOut }];
};

/**
 * One metrics disk for each domain that libvirt knows, with only the metrics of the host and of that domain. A failure
 * of one disk is a warning and does not affect others; the sink fails only if the folder of all disks is not usable.
 */
export const privateDisks = ({ path, scheduler, backoff, ...options }: PrivateDisksOptions): Sink => {
  const paths = privatePaths(path, options.owner);
  const open$ = defer(() => {
    paths.makeFolder();
    const { adopt$, update$, close } = privateDiskSet(paths, options, scheduler);
    const write$ = (snapshot: Snapshot): Observable<SinkReport> =>
      defer(() => {
        paths.makeFolder();
        return update$(snapshot).pipe(mergeMap((summary) => reports(snapshot, summary)));
      });
    const size = formatCount(wholeChunks(options.size));
    const writer$ = adopt$.pipe(
      map((count): Writer => ({ opened: `${path}, ${size} bytes each: ${disks(count)} taken over`, write$ })),
    );
    return concat(writer$, NEVER).pipe(finalize(close));
  });
  return deliverLatest('private disks', open$, { scheduler, ...(backoff === undefined ? {} : { backoff }) });
};
