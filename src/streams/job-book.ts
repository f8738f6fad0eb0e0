import { domainRunKeyOf } from './jobs.ts';

/** Progress of jobs. */
export interface Progress {
  /** Jobs that have answered. */
  readonly answered: readonly string[];
  /** Jobs that may be started again. */
  readonly ended: readonly string[];
}

/** The jobs of one trigger. */
export interface AwaitedJobs {
  /** Starts a job; false if it still runs. The trigger waits for it unless it is slow. */
  readonly start: (job: string) => boolean;
  /** Records progress. `prompt`: within the patience, so the jobs are no longer slow. */
  readonly finish: (progress: Progress, prompt: boolean) => void;
  /** Ends the wait: jobs that have not answered are slow. */
  readonly giveUp: () => void;
  /** Ends the wait for domains that are gone, by `domainRunKey`. */
  readonly drop: (gone: ReadonlySet<string>) => void;
  /** True if no job is awaited. */
  readonly isWhole: () => boolean;
}

/** Records running jobs, and slow ones: those that overran, and are not awaited until they are prompt again. */
export interface JobBook {
  readonly isSlow: (job: string) => boolean;
  /** Forgets domains that are gone, by `domainRunKey`. */
  readonly drop: (gone: ReadonlySet<string>) => void;
  /** Starts the record of one trigger. */
  readonly begin: () => AwaitedJobs;
}

const dropGone = (jobs: Set<string>, gone: ReadonlySet<string>): void => {
  if (gone.size === 0) return;
  for (const job of jobs) if (gone.has(domainRunKeyOf(job))) jobs.delete(job);
};

// Mutable sets instead of copies, because thousands of jobs answer one by one.
export const jobBook = (): JobBook => {
  const running = new Set<string>();
  const slow = new Set<string>();
  return {
    isSlow: (job) => slow.has(job),
    drop: (gone) => dropGone(slow, gone),
    begin: () => {
      const awaited = new Set<string>();
      return {
        start: (job) => {
          if (running.has(job)) return false;
          running.add(job);
          if (!slow.has(job)) awaited.add(job);
          return true;
        },
        finish: ({ answered, ended }, prompt) => {
          for (const job of answered) {
            awaited.delete(job);
            if (prompt) slow.delete(job);
          }
          for (const job of ended) running.delete(job);
        },
        giveUp: () => {
          for (const job of awaited) slow.add(job);
          awaited.clear();
        },
        drop: (gone) => dropGone(awaited, gone),
        isWhole: () => awaited.size === 0,
      };
    },
  };
};
