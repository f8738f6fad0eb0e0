import { catchError, concatMap, first, forkJoin, from, map, type Observable, of, switchMap } from 'rxjs';

import type { Domain } from '../../model/metric.ts';
import { isRefused } from '../libvirt/call.ts';
import { type Job, type PauseReason, pauseOf } from '../libvirt/domain-changes.ts';
import type { Connection } from '../libvirt/types.ts';
import type { ActivityEvent } from './activity.ts';

// virDomainState: paused.
const PAUSED = 3;

type Answer = Extract<ActivityEvent, { kind: 'asked' }>;

// One disk after the other, because each of the calls hangs if QEMU is frozen.
const firstJob$ = (connection: Connection, domain: Domain, disks: readonly string[]): Observable<Job | undefined> =>
  from(disks).pipe(
    concatMap((disk) => connection.blockJob$(domain, disk).pipe(catchError(() => of(undefined)))),
    first((job) => job !== undefined, undefined),
  );

const paused$ = (connection: Connection, domain: Domain): Observable<PauseReason | undefined> =>
  connection.stats$([domain], 0).pipe(
    map(([stats]) => {
      const number = (name: string): number => Number(stats?.fields.get(name) ?? 0);
      return number('state.state') === PAUSED ? pauseOf(number('state.reason')) : undefined;
    }),
  );

/** True if another call holds the domain now; false where the driver does not know. */
export const isHeld$ = (connection: Connection, domain: Domain): Observable<boolean> =>
  connection.isHeld$(domain).pipe(
    catchError((error: unknown) => {
      if (!isRefused(error)) throw error;
      return of(false);
    }),
  );

/** Asks what runs on a domain now: its job, and if it has none those of its disks. */
export const activity$ = (connection: Connection, domain: Domain, disks: readonly string[]): Observable<Answer> =>
  forkJoin({
    job: connection
      .job$(domain)
      .pipe(switchMap((job) => (job === undefined ? firstJob$(connection, domain, disks) : of(job)))),
    paused: paused$(connection, domain),
  }).pipe(map((answer): Answer => ({ kind: 'asked', ...answer })));
