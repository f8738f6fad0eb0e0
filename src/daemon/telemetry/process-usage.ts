import { readdirSync } from 'node:fs';

import { cpuTime } from '../../system/process/cpu-time.ts';

/** Resources that this process uses. */
export interface ProcessView {
  /** Seconds since 1970. */
  readonly startTime: number;
  /** Seconds. */
  readonly cpu: number;
  readonly residentBytes: number;
  readonly descriptors: number;
}

/** Reads the resources of this process. */
export const processView = (): ProcessView => ({
  startTime: Math.round(Date.now() / 1000 - process.uptime()),
  cpu: cpuTime() / 1000,
  residentBytes: process.memoryUsage.rss(),
  // One of them belongs to this call.
  descriptors: readdirSync('/proc/self/fd').length - 1,
});
