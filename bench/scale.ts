import path from 'node:path';

import { resultOf } from './daemon.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import type { SnapshotCosts } from './programs/snapshots.ts';
import { median } from './statistics.ts';

const DOMAINS = 10_000;
const SNAPSHOTS = 25;

const run = async ({ directory, say }: Bench): Promise<Result> => {
  say(`${SNAPSHOTS} snapshots of ${DOMAINS} synthetic VMs`);
  const costs = await resultOf<SnapshotCosts>('snapshots', [
    path.join(directory, 'scale.disk'),
    String(DOMAINS),
    String(SNAPSHOTS),
  ]);
  const figure = (what: string, values: readonly number[]): Figure => ({
    what: `CPU per snapshot, ${what}`,
    value: median(values),
    unit: 'ms',
    count: SNAPSHOTS,
  });
  return {
    telemetry: [
      { ...figure('median', costs.all), target: 250 },
      figure('streams', costs.streams),
      figure('XML', costs.xml),
      figure('disk', costs.disk),
      figure('of that making the synthetic values', costs.collection),
      figure('encoding and writing the same bytes', costs.least),
      {
        what: 'CPU, beyond the values : encoding and writing',
        value: (median(costs.all) - median(costs.collection)) / median(costs.least),
        unit: 'ratio',
        target: 3,
      },
      { what: 'size of the document', value: costs.bytes / 2 ** 20, unit: 'MiB' },
    ],
    notes: [
      'scale: CPU of all threads of the process, garbage collection included; a median of each part alone, so the parts need not add up.',
    ],
  };
};

export const scale: Row = {
  name: 'scale',
  about: '10,000 synthetic VMs with 4 metrics each, all changed at each tick, through streams, XML and disk',
  run,
};
