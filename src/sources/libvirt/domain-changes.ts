import type { StatValue } from './typed-params.ts';

/** What the host does to a domain: a job (virDomainJobOperation), or one of a disk (virDomainBlockJobType). */
export type JobName =
  | 'migration'
  | 'save'
  | 'restore'
  | 'snapshot'
  | 'dump'
  | 'backup'
  | 'blockpull'
  | 'blockcopy'
  | 'blockcommit'
  | 'start'
  | 'other';

/** Why the host paused a domain (virDomainPausedReason). */
export type PauseReason =
  | 'unknown'
  | 'user'
  | 'migration'
  | 'save'
  | 'dump'
  | 'ioerror'
  | 'watchdog'
  | 'snapshot'
  | 'shutdown'
  | 'crashed'
  | 'start'
  | 'postcopy'
  | 'error';

/** A change of a domain that libvirt reports, besides its lifecycle and its devices. */
export type DomainChange = { readonly uuid: string } & (
  | { readonly kind: 'paused'; readonly reason: PauseReason }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'job'; readonly job: JobName }
  | { readonly kind: 'jobEnded' }
  /** A job of a disk has ended, or has copied all and waits. */
  | { readonly kind: 'blockJob'; readonly ended: boolean }
  | { readonly kind: 'ioError' }
  /** Limits, weights or the balloon have changed. */
  | { readonly kind: 'tuned' }
);

// virDomainJobOperation of libvirt-domain.h
const OPERATIONS: readonly JobName[] = [
  'other',
  'start',
  'save',
  'restore',
  'migration',
  'migration',
  'snapshot',
  'snapshot',
  'dump',
  'backup',
  'snapshot',
];
// virDomainBlockJobType
const BLOCK_JOBS: readonly JobName[] = ['other', 'blockpull', 'blockcopy', 'blockcommit', 'blockcommit', 'backup'];
// virDomainPausedReason
const PAUSES: readonly PauseReason[] = [
  'unknown',
  'user',
  'migration',
  'save',
  'dump',
  'ioerror',
  'watchdog',
  'snapshot',
  'shutdown',
  'snapshot',
  'crashed',
  'start',
  'postcopy',
  'postcopy',
  'error',
];
// virDomainEventSuspendedDetailType. `user`: libvirt reports pauses for a save and the like by it, too.
const SUSPENSIONS: readonly PauseReason[] = [
  'user',
  'migration',
  'ioerror',
  'watchdog',
  'save',
  'snapshot',
  'error',
  'postcopy',
  'postcopy',
];
// virDomainJobType: a job that runs.
const RUNNING = new Set([1, 2]);

export const operationOf = (operation: number): JobName => OPERATIONS[operation] ?? 'other';
export const blockJobOf = (type: number): JobName => BLOCK_JOBS[type] ?? 'other';
export const pauseOf = (reason: number): PauseReason => PAUSES[reason] ?? 'unknown';
export const suspensionOf = (detail: number): PauseReason => SUSPENSIONS[detail] ?? 'unknown';

/** A job that runs; `progress` in percent, if libvirt knows it. */
export interface Job {
  readonly job: JobName;
  readonly progress?: number;
}

const percent = (done: number, whole: number): { readonly progress?: number } =>
  whole > 0 && done >= 0 ? { progress: Math.min(100, (100 * done) / whole) } : {};

/** Reads the answer of virDomainGetJobStats; undefined if no job runs. */
export const jobIn = (type: number, fields: ReadonlyMap<string, StatValue>): Job | undefined => {
  if (!RUNNING.has(type)) return undefined;
  const number = (name: string): number => Number(fields.get(name) ?? 0);
  // A backup counts disks only.
  const [whole, done] =
    number('data_total') > 0
      ? [number('data_total'), number('data_processed')]
      : [number('disk_total'), number('disk_processed')];
  return { job: operationOf(number('operation')), ...percent(done, whole) };
};

/** Reads the answer of virDomainGetBlockJobInfo. */
export const blockJobIn = ({ type, cur, end }: { type: number; cur: number; end: number }): Job => ({
  job: blockJobOf(type),
  ...percent(cur, end),
});
