import { readdirSync } from 'node:fs';

/** What the process itself uses. */
export interface ProcessView {
  /** Seconds since 1970. */
  readonly startTime: number;
  /** Seconds. */
  readonly cpu: number;
  readonly residentBytes: number;
  readonly descriptors: number;
}

/** Looks at this process. */
export const processView = (): ProcessView => {
  const { user, system } = process.cpuUsage();
  return {
    startTime: Math.round(Date.now() / 1000 - process.uptime()),
    cpu: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    // One of them is that of this look.
    descriptors: readdirSync('/proc/self/fd').length - 1,
  };
};
