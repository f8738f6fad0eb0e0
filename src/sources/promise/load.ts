import type { Promises } from './promises.ts';

/** What domains together may use of their host: virtual CPUs, and memory in KiB. */
export interface Load {
  readonly vcpus: number;
  readonly memory: number;
}

/**
 * Adds up what domains may use. Of their memory that given now counts, not the maximum: only the host can give a guest
 * more than its balloon leaves it.
 */
export const loadOf = (all: readonly Promises[]): Load => ({
  vcpus: all.reduce((sum, { vcpus }) => sum + vcpus, 0),
  memory: all.reduce((sum, { memory }) => sum + memory, 0),
});
