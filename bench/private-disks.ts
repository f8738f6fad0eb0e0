import path from 'node:path';

import { resultOf } from './daemon.ts';
import type { PrivateDiskCosts } from './programs/private-disks.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import { median, percentile } from './statistics.ts';

const DOMAINS = 1000;
// More than the number of recent sums that a disk remembers.
const UPDATES = 4300;

const run = async ({ directory, say }: Bench): Promise<Result> => {
  say(`${UPDATES} updates of ${DOMAINS} private disks`);
  const costs = await resultOf<PrivateDiskCosts>('private-disks', [
    path.join(directory, 'private'),
    String(DOMAINS),
    String(UPDATES),
  ]);
  if (costs.writes > 0) throw new Error(`${costs.writes} writes to disks whose content was the same`);
  const cpu = (what: string, values: readonly number[]): Figure => ({
    what: `CPU per snapshot, ${what}`,
    value: median(values),
    unit: 'ms',
    count: values.length,
  });
  const memory = (what: string, value: number): Figure => ({ what: `RSS ${what}`, value, unit: 'MiB' });
  return {
    telemetry: [
      { ...cpu('all changed', costs.changed), target: 100 },
      cpu('a tick, none changed', costs.touched),
      cpu('between ticks, none changed', costs.skipped),
      { what: 'event loop held up, worst', value: percentile(costs.heldUp, 1), unit: 'ms', count: costs.heldUp.length },
      { what: `CPU of making ${DOMAINS} disks`, value: costs.made, unit: 'ms' },
      memory('without disks', costs.before),
      memory(`with ${DOMAINS} disks`, costs.after),
      memory(`after ${UPDATES} updates of each`, costs.last),
    ],
    notes: [
      'private-disks: CPU of all threads of the process, garbage collection and the making of the XML included; each update has new metrics of host and domain.',
    ],
  };
};

export const privateDisksRow: Row = {
  name: 'private-disks',
  about: `${DOMAINS} private disks, one per synthetic VM, with 13 host and 4 VM metrics each`,
  run,
};
