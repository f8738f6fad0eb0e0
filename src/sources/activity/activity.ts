import type { Change } from '../libvirt/event-callbacks.ts';
import type { Job, JobName, PauseReason } from '../libvirt/domain-changes.ts';

/** What the host has done to one run of a domain. Times in milliseconds of the monotonic clock. */
export interface Activity {
  readonly job: JobName | undefined;
  readonly progress: number | undefined;
  /** Time in which jobs ran, up to `jobSince`, from which on one runs. */
  readonly jobTime: number;
  readonly jobSince: number | undefined;
  readonly jobsEnded: number;
  readonly pausedTime: number;
  readonly pausedSince: number | undefined;
  readonly pauseReason: PauseReason | undefined;
  readonly ioErrors: number;
}

export const NO_ACTIVITY: Activity = {
  job: undefined,
  progress: undefined,
  jobTime: 0,
  jobSince: undefined,
  jobsEnded: 0,
  pausedTime: 0,
  pausedSince: undefined,
  pauseReason: undefined,
  ioErrors: 0,
};

/** A report of libvirt, or its answer about a domain: the job that runs, and why it is paused. */
export type ActivityEvent =
  | Change
  | { readonly kind: 'asked'; readonly job: Job | undefined; readonly paused: PauseReason | undefined };

const withJob = (before: Activity, job: Job | undefined, now: number): Activity => {
  if (job === undefined)
    return before.jobSince === undefined
      ? before
      : {
          ...before,
          job: undefined,
          progress: undefined,
          jobTime: before.jobTime + (now - before.jobSince),
          jobSince: undefined,
          jobsEnded: before.jobsEnded + 1,
        };
  // An event names the job, and does not say how far it is.
  const progress = job.progress ?? (job.job === before.job ? before.progress : undefined);
  return { ...before, job: job.job, progress, jobSince: before.jobSince ?? now };
};

const withPause = (before: Activity, reason: PauseReason | undefined, now: number): Activity => {
  if (reason === undefined)
    return before.pausedSince === undefined
      ? before
      : { ...before, pausedTime: before.pausedTime + (now - before.pausedSince), pausedSince: undefined };
  return { ...before, pauseReason: reason, pausedSince: before.pausedSince ?? now };
};

/** Returns the activity after an event at a time. */
export const nextActivity = (before: Activity, event: ActivityEvent, now: number): Activity => {
  switch (event.kind) {
    case 'paused':
      return withPause(before, event.reason, now);
    case 'resumed':
      return withPause(before, undefined, now);
    case 'job':
      return withJob(before, { job: event.job }, now);
    case 'jobEnded':
      // A job that was not seen is counted, too.
      return before.jobSince === undefined
        ? { ...before, jobsEnded: before.jobsEnded + 1 }
        : withJob(before, undefined, now);
    case 'asked':
      return withPause(withJob(before, event.job, now), event.paused, now);
    case 'ioError':
      return { ...before, ioErrors: before.ioErrors + 1 };
    default:
      // The answer to the question that follows says what it is.
      return before;
  }
};

/** Returns the time in which jobs ran, in milliseconds. */
export const jobTimeAt = ({ jobTime, jobSince }: Activity, now: number): number =>
  jobTime + (jobSince === undefined ? 0 : now - jobSince);

/** Returns the time for which the domain was paused, in milliseconds. */
export const pausedTimeAt = ({ pausedTime, pausedSince }: Activity, now: number): number =>
  pausedTime + (pausedSince === undefined ? 0 : now - pausedSince);
