import { domainRunKeyOf } from './jobs.ts';

/** What has come in of jobs. */
export interface Progress {
  /** Jobs that nobody waits for any more. */
  readonly answered: readonly string[];
  /** Jobs that may be started again. */
  readonly ended: readonly string[];
}

/** The jobs of one trigger. */
export interface AwaitedJobs {
  /** Starts a job, which is waited for unless it is slow; false if it still runs. */
  readonly start: (job: string) => boolean;
  /** `prompt`: within the patience; a job that is prompt is waited for again. */
  readonly finish: (progress: Progress, prompt: boolean) => void;
  /** Waits no longer: what has not answered is slow. */
  readonly giveUp: () => void;
  /** Waits no longer for domains that have gone, by `domainRunKey`. */
  readonly drop: (gone: ReadonlySet<string>) => void;
  /** Nothing is waited for any more. */
  readonly isWhole: () => boolean;
}

/** Which jobs run, and which are slow: they overran, and are not waited for until they are prompt again. */
export interface JobBook {
  readonly isSlow: (job: string) => boolean;
  /** Forgets domains that have gone, by `domainRunKey`. */
  readonly drop: (gone: ReadonlySet<string>) => void;
  /** Opens the page of one trigger. */
  readonly begin: () => AwaitedJobs;
}

const dropGone = (jobs: Set<string>, gone: ReadonlySet<string>): void => {
  if (gone.size === 0) return;
  for (const job of jobs) if (gone.has(domainRunKeyOf(job))) jobs.delete(job);
};

// Sets that change, not copies: thousands of jobs answer one by one.
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
