import { processesWith } from '../test/support/processes.ts';
import { resultOf } from './daemon.ts';
import type { ContentionCosts } from './programs/contention.ts';
import type { Bench, Result, Row } from './row.ts';
import { median } from './statistics.ts';

const MACHINES = 40;
const COLLECTIONS = 200;
// Goals in ms, by the number of VMs.
const GOALS = new Map([
  [MACHINES, 1],
  [1000, 25],
]);

const run = async ({ machines, say }: Bench): Promise<Result> => {
  await machines.atLeast(MACHINES);
  const pids = processesWith('cmdline', '\0guest=background-').map(String).slice(0, MACHINES);
  say(`${COLLECTIONS} collections of the statistics of contention`);
  const telemetry = [];
  for (const [count, target] of GOALS) {
    const { all, reads, files, values } = await resultOf<ContentionCosts>('contention', [
      String(count),
      String(COLLECTIONS),
      ...pids,
    ]);
    const what = `CPU per collection of ${values / count} values of each of ${count} VMs`;
    telemetry.push(
      { what, value: median(all), unit: 'ms', target, count: all.length } as const,
      { what: 'the dearest of them', value: Math.max(...all), unit: 'ms' } as const,
      {
        what: `reading its ${files} files, and nothing else`,
        value: median(reads),
        unit: 'ms',
        count: reads.length,
      } as const,
    );
  }
  return {
    telemetry,
    notes: [`contention: ${MACHINES} real QEMUs; for more VMs each counts several times, with descriptors of its own.`],
  };
};

export const contention: Row = {
  name: 'contention',
  about: 'all statistics of contention, from the kernel files of QEMU processes in control groups of their own',
  run,
};
