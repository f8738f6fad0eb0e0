import { asyncScheduler, type SchedulerLike } from 'rxjs';

/** RxJS' timers with a clock that never jumps: milliseconds since the process started. */
export const monotonicScheduler: SchedulerLike = {
  now: () => performance.now(),
  schedule: asyncScheduler.schedule.bind(asyncScheduler),
};
