import type { DiskLimits } from './promises.ts';

/** What a disk did between two answers, by the name of its target. */
export interface DiskWork {
  readonly name: string;
  readonly reads: number;
  readonly writes: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

const NO_WORK = { reads: 0, writes: 0, bytesRead: 0, bytesWritten: 0 };

/** Returns the greatest use of a limit of any disk, in percent; 0 without limits. */
export const limitUse = (limits: readonly DiskLimits[], work: readonly DiskWork[], seconds: number): number => {
  if (seconds <= 0) return 0;
  const byName = new Map(work.map((one) => [one.name, one]));
  const keyOf = ({ group, name }: DiskLimits): string => (group === undefined ? `disk ${name}` : `group ${group}`);
  const groups = [...new Set(limits.map(keyOf))].map((key) => limits.filter((disk) => keyOf(disk) === key));
  const uses = groups.flatMap((disks) => {
    const sum = (what: keyof typeof NO_WORK): number =>
      disks.reduce((all, { name }) => all + (byName.get(name) ?? NO_WORK)[what], 0);
    const [limit] = disks;
    const use = (done: number, most: number | undefined): number =>
      most === undefined || most === 0 ? 0 : (100 * done) / seconds / most;
    const [reads, writes, read, written] = [sum('reads'), sum('writes'), sum('bytesRead'), sum('bytesWritten')];
    return [
      use(reads + writes, limit?.iops.total),
      use(reads, limit?.iops.read),
      use(writes, limit?.iops.write),
      use(read + written, limit?.bytes.total),
      use(read, limit?.bytes.read),
      use(written, limit?.bytes.write),
    ];
  });
  return Math.max(0, ...uses);
};
