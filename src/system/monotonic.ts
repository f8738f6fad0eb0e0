import { asyncScheduler, type SchedulerLike } from 'rxjs';

/** Scheduler with a monotonic clock: milliseconds since the process started. */
export const monotonicScheduler: SchedulerLike = {
  now: () => performance.now(),
  schedule: asyncScheduler.schedule.bind(asyncScheduler),
};
